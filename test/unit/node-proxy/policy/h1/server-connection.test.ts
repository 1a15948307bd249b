import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import { GET, OK, type ScriptedWire, scripted, settled } from './scripted.ts';

describe('a client’s HTTP/1.1 connection', () => {
  it('that ended while requests waited for their turn answers them all', async () => {
    const { client, wires, plan, closed } = scripted();
    client.say(GET('/1') + GET('/2') + GET('/3'));
    client.events?.onEnd();
    await settled();
    for (const path of ['/1', '/2', '/3']) {
      assert.ok(wires[0]?.text.endsWith(GET(path)));
      wires[0]?.say(OK(path));
      await settled();
    }
    assert.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 3);
    assert.ok(client.ended);
    assert.equal(plan.ends.length, 3);
    client.close(true);
    assert.equal(closed(), 1);
  });

  it('that ended while requests waited for their turn answers them all, also by itself', async () => {
    const { client, wires, plan } = scripted();
    let first = true;
    plan.verdict = () => {
      const verdict = first ? 'forward' : new HttpRefusal('no_route', 'nowhere');
      first = false;
      return verdict;
    };
    client.say(GET('/1') + GET('/2') + GET('/3') + GET('/4'));
    client.events?.onEnd();
    await settled();
    wires[0]?.say(OK('1'));
    await settled();
    assert.equal(client.text.match(/HTTP\/1\.1 404/g)?.length, 3);
    assert.equal(client.text.match(/connection: close/gi)?.length, 1);
    assert.ok(client.ended);
  });

  it('that is in use while the proxy drains is told so with its next answer, not cut between two requests', async () => {
    const { clock, client, wires, server, host } = scripted();
    const ask = async () => {
      client.say(GET('/'));
      await settled();
      wires[0]?.say(OK('1'));
      await settled();
    };
    await ask();
    clock.advance(20);
    Object.assign(host, { draining: true });
    server.check(clock.monotonic());
    assert.equal(client.ended, false);
    await ask();
    assert.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 2);
    assert.equal(client.text.match(/connection: close/gi)?.length, 1);
    assert.ok(client.ended);
  });

  it('that was promised another request before the proxy drained is not cut when the response ends', async () => {
    const { clock, client, wires, server, host } = scripted();
    client.say(GET('/'));
    await settled();
    wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1');
    Object.assign(host, { draining: true });
    clock.advance(5_000);
    wires[0]?.say('2');
    server.check(clock.monotonic());
    assert.equal(client.ended, false);
    client.say(GET('/'));
    await settled();
    wires.at(-1)?.say(OK('3'));
    assert.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 2);
    assert.equal(client.text.match(/connection: close/gi)?.length, 1);
    assert.ok(client.ended);
  });

  it('that nobody has used for a while is closed when the proxy drains', async () => {
    const { clock, client, wires, server, host } = scripted();
    client.say(GET('/'));
    await settled();
    wires[0]?.say(OK('1'));
    await settled();
    Object.assign(host, { draining: true });
    clock.advance(900);
    server.check(clock.monotonic());
    assert.equal(client.ended, false);
    clock.advance(900);
    server.check(clock.monotonic());
    assert.ok(client.ended);
  });

  it('in a tunnel that both have ended is not cut before it has taken the last bytes', async () => {
    const { client, wires, closed } = scripted();
    client.say(GET('/', 'Connection: Upgrade', 'Upgrade: x'));
    await settled();
    wires[0]?.say('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
    client.events?.onEnd();
    client.room = false;
    wires[0]?.say('last words');
    wires[0]?.events?.onEnd();
    assert.ok(wires[0]?.ended && client.ended);
    wires[0]?.close(true);
    assert.equal(client.closed, false);
    client.close(true);
    assert.equal(closed(), 1);
  });

  it('in a tunnel that is gone for good leaves the application some time for the last bytes, not for ever', async () => {
    const { client, wires, server, closed } = scripted();
    client.say(GET('/', 'Connection: Upgrade', 'Upgrade: x'));
    await settled();
    wires[0]?.say('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
    wires[0]?.events?.onEnd();
    client.events?.onEnd();
    client.close(true);
    for (const seconds of [1, 600]) server.check(seconds * 1_000);
    assert.equal(wires[0]?.closed, false);
    server.check(602_000);
    assert.equal(wires[0]?.closed, true);
    assert.equal(closed(), 1);
  });

  it('that half-closes is answered if that does not take long, each time anew', async () => {
    const { client, wires, server, closed } = scripted();
    client.say(GET('/1') + GET('/2'));
    client.events?.onEnd();
    await settled();
    for (const seconds of [1, 3]) server.check(seconds * 1_000);
    wires[0]?.say(OK('1'));
    await settled();
    for (const seconds of [4, 6]) server.check(seconds * 1_000);
    assert.equal(closed(), 0);
    server.check(7_000);
    assert.equal(closed(), 1);
  });

  it('that ended within a request, behind others, is cut when its turn comes', async () => {
    const { client, wires, plan, closed } = scripted();
    client.say(`${GET('/1')}POST /2 HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\n\r\nabc`);
    client.events?.onEnd();
    await settled();
    wires[0]?.say(OK('1'));
    await settled();
    assert.equal(closed(), 1);
    assert.deepEqual(
      plan.ends.map(({ reason }) => reason),
      ['', 'client_gone'],
    );
    assert.ok(wires[0]?.closed);
  });

  it('answers itself within a chunk, request by request', () => {
    const { client, plan, wires } = scripted();
    plan.verdict = () => new HttpRefusal('no_route', 'nowhere');
    client.say(GET('/1') + GET('/2') + GET('/3', 'Connection: close') + GET('/4'));
    assert.equal(client.text.match(/HTTP\/1\.1 404/g)?.length, 3);
    assert.ok(client.ended);
    assert.equal(wires.length, 0);
    assert.equal(plan.ends.length, 3);
  });

  it('begins nothing new while the client has not taken what it was answered', async () => {
    const { client, plan } = scripted();
    plan.verdict = () => new HttpRefusal('no_route', 'nowhere');
    client.room = false;
    client.say(GET('/1').repeat(100));
    await settled();
    assert.equal(plan.ends.length, 1);
    assert.equal(client.paused, true);
    // What is on its way still comes.
    client.say(GET('/2').repeat(100));
    await settled();
    assert.equal(plan.ends.length, 1);
    client.events?.onDrain();
    await settled();
    assert.equal(plan.ends.length, 2);
    client.room = true;
    client.events?.onDrain();
    await settled();
    assert.equal(plan.ends.length, 200);
    assert.equal(client.paused, false);
  });

  it('stays paused when the next request’s body finds no room, though its turn has come', async () => {
    const { client, wires } = scripted();
    client.say(`${GET('/1')}POST /2 HTTP/1.1\r\nHost: web\r\nContent-Length: 99\r\n\r\nabc`);
    await settled();
    assert.equal(client.paused, true);
    const wire = wires[0] as ScriptedWire;
    wire.say(OK('1'));
    wire.room = false;
    await settled();
    assert.ok(wire.text.endsWith('abc'));
    assert.equal(client.paused, true);
    wire.room = true;
    wire.events?.onDrain();
    assert.equal(client.paused, false);
  });

  it('keeps to what it has said: after `close` nothing more is answered', async () => {
    const { client, wires } = scripted();
    client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\na');
    await settled();
    // An answer before the request's end.
    wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfo');
    assert.match(client.text, /connection: close/);
    client.say(`bc${GET('/2')}`);
    wires[0]?.say('ur');
    await settled();
    assert.ok(client.ended);
    assert.equal(client.text.match(/HTTP\/1\.1/g)?.length, 1);
  });

  it('is closed once, whatever closes during a write', async () => {
    const answers: Record<string, string[]> = {
      'the whole answer': [OK('body')],
      'a first part': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbo'],
      'a later part': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 'body'],
      'the last part': ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n', 'body'],
      'an interim answer': [`HTTP/1.1 103 H\r\n\r\nHTTP/1.1 103 H\r\n\r\n${OK('')}`],
      'an upgrade': ['HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nearly'],
      'our own answer': ['nonsense\r\n'],
    };
    for (const [what, [first = '', second]] of Object.entries(answers)) {
      const { client, wires, plan, closed } = scripted();
      client.say(GET('/', 'Connection: Upgrade', 'Upgrade: x'));
      await settled();
      if (second !== undefined) wires[0]?.say(first);
      // The write itself finds out that nobody is there.
      client.onWrite = () => client.close(false);
      wires[0]?.say(second ?? first);
      await settled();
      assert.ok(wires[0]?.closed, what);
      assert.equal(client.late, 0, what);
      assert.equal(closed(), 1);
      assert.equal(plan.ends.length, 1);
      assert.equal(client.corked, 0);
    }
  });
});

describe('a head that comes in pieces', () => {
  it('has its own time, whatever an earlier one took', async () => {
    const { client, wires, server } = scripted();
    client.say('GET /1 HTT');
    server.check(1_000);
    client.say('P/1.1\r\nHost: web\r\n\r\n');
    await settled();
    server.check(10_000);
    wires[0]?.say(OK('1'));
    client.say('GET /2 HTT');
    for (const nowMs of [17_000, 32_000]) server.check(nowMs);
    assert.doesNotMatch(client.text, / 408 /);
    server.check(32_001);
    assert.match(client.text, / 408 /);
  });
});

describe('nonsense', () => {
  it('within a request is said once, by the request', async () => {
    const { client, plan, nonsense } = scripted();
    client.say('POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n');
    await settled();
    assert.match(client.text, /^HTTP\/1\.1 400 /);
    assert.equal(plan.ends.length, 1);
    assert.notEqual(plan.ends[0]?.reason, '');
    assert.deepEqual(nonsense, []);
  });
});
