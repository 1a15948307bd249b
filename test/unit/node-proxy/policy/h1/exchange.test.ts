import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { H1Upstream } from '../../../../../node-proxy/policy/h1/upstream-connection.ts';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import { GET, OK, ScriptedWire, scripted, settled } from './scripted.ts';

describe('the application’s connection', () => {
  it('that breaks and is full does not keep the client waiting for the one that takes its place', async () => {
    const { client, plan, upstream } = scripted();
    plan.keepBytes = 100;
    plan.retry = () => true;
    const [next, broken] = [new ScriptedWire(), new ScriptedWire()];
    for (const wire of [next, broken]) upstream.idle.push(new H1Upstream(wire, upstream, () => {}));
    broken.room = false;
    broken.onWrite = () => broken.close(false);
    client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\nabc');
    await settled();
    assert.ok(next.text.endsWith('\r\n\r\nabc'));
    assert.equal(client.paused, false);
  });

  it('that is closed when it is handed over is tried anew', async () => {
    const { client, wires, plan, hooks } = scripted();
    hooks.connecting = async wire => {
      if (wires.length === 1) wire.closed = true;
    };
    client.say(GET('/'));
    await settled();
    assert.deepEqual(plan.failures, [['upstream_reset', true]]);
    wires[1]?.say(OK('fine'));
    assert.match(client.text, /200 OK[\s\S]*fine$/);
  });

  it('that breaks while the request is written fails the request once', async () => {
    for (const body of ['', 'abc']) {
      const { client, wires, plan, hooks, closedConnections } = scripted();
      plan.retry = () => false;
      hooks.connecting = async wire => {
        wire.onWrite = () => wire.close(false);
      };
      client.say(body === '' ? GET('/') : `POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\n${body}`);
      await settled();
      assert.match(client.text, /^HTTP\/1\.1 502 /);
      assert.deepEqual([plan.ends.length, plan.failures.length, closedConnections()], [1, 1, 1]);
      assert.equal(wires[0]?.corked, 0);
    }
  });

  it('that breaks while kept bytes are written again goes on to the next one', async () => {
    const { client, wires, plan } = scripted();
    plan.keepBytes = 100;
    plan.retry = () => true;
    client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\nabc');
    await settled();
    const first = wires[0] as ScriptedWire;
    first.onWrite = () => first.close(false);
    client.say('def');
    await settled();
    assert.ok(wires[1]?.text.endsWith('\r\n\r\nabcdef'));
    wires[1]?.say(OK('whole'));
    assert.match(client.text, /whole$/);
    assert.equal(plan.ends[0]?.requestBytes, 6);
  });

  it('is sent a kept body again as fast as it takes it, and what comes meanwhile behind it', async () => {
    const { client, wires, plan, hooks } = scripted();
    plan.keepBytes = 1_000;
    plan.retryStatus = 503;
    hooks.connecting = async wire => {
      wire.room = wires.length === 1;
    };
    client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 12\r\n\r\nabc');
    await settled();
    for (const part of ['def', 'ghi']) client.say(part);
    wires[0]?.say('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
    await settled();
    const second = wires[1] as ScriptedWire;
    assert.ok(second.text.endsWith('\r\n\r\nabc'));
    assert.equal(client.paused, true);
    // What was on its way.
    client.say('jkl');
    assert.ok(second.text.endsWith('\r\n\r\nabc'));
    second.events?.onDrain();
    assert.ok(second.text.endsWith('abcdef'));
    second.events?.onDrain();
    second.events?.onDrain();
    assert.ok(second.text.endsWith('\r\n\r\nabcdefghijkl'));
    assert.equal(client.paused, true);
    second.events?.onDrain();
    assert.equal(client.paused, false);
    second.say(OK('whole'));
    assert.match(client.text, /whole$/);
    assert.equal(plan.ends[0]?.requestBytes, 12);
  });

  it('that comes too late for its request serves the next', async () => {
    const { client, wires, plan, hooks, upstream, clock } = scripted();
    const late = Promise.withResolvers<void>();
    hooks.connecting = () => late.promise;
    plan.perTryMs = 100;
    plan.retry = () => false;
    client.say(GET('/1'));
    await settled();
    clock.advance(100);
    assert.match(client.text, /^HTTP\/1\.1 504 /);
    late.resolve();
    await settled();
    assert.equal(upstream.idle.length, 1);
    client.say(GET('/2'));
    await settled();
    assert.equal(wires.length, 1);
    wires[0]?.say(OK('second'));
    assert.match(client.text, /second$/);
  });

  it('has its time for the head of the response alone, or for the whole of it', async () => {
    for (const whole of [false, true]) {
      const { client, wires, plan, clock } = scripted();
      plan.perTryMs = 100;
      plan.perTryWhole = whole;
      client.say(GET('/'));
      await settled();
      clock.advance(60);
      wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
      clock.advance(60);
      assert.equal(client.closed, whole);
      assert.deepEqual(plan.failures, whole ? [['timeout_try', false]] : []);
      wires[0]?.say('lf');
      assert.equal(client.text.endsWith('half'), !whole);
      assert.equal(plan.ends[0]?.reason, whole ? 'timeout_try' : '');
      assert.equal(clock.timers, 0);
    }
  });

  it('is not blamed when its time passes because the client does not read', async () => {
    const { client, wires, plan, clock } = scripted();
    plan.perTryMs = 100;
    plan.perTryWhole = true;
    client.say(GET('/'));
    await settled();
    client.room = false;
    wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
    clock.advance(100);
    assert.deepEqual(plan.failures, [['timeout_client', false]]);
    assert.ok(client.closed);
  });

  it('is not blamed for the time of a response that the client does not read', async () => {
    for (const room of [true, false]) {
      const { client, wires, plan, clock } = scripted();
      let by = '';
      plan.totalMs = 100;
      plan.retry = refusal => {
        by = refusal.by;
        return false;
      };
      client.say(GET('/'));
      await settled();
      client.room = room;
      wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
      clock.advance(100);
      assert.deepEqual([plan.ends[0]?.reason, by], ['timeout_total', room ? 'upstream' : 'client']);
    }
  });

  it('is blamed if the client waits for its leave to send, and not once it has that', async () => {
    for (const leave of [false, true]) {
      const { client, wires, plan, clock } = scripted();
      let by = '';
      plan.totalMs = 100;
      plan.retry = refusal => {
        by = refusal.by;
        return false;
      };
      client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
      await settled();
      if (leave) wires[0]?.say('HTTP/1.1 100 Continue\r\n\r\n');
      clock.advance(100);
      assert.match(client.text, /HTTP\/1\.1 504 /);
      assert.equal(by, leave ? 'client' : 'upstream');
    }
  });

  it('that comes too late for a pool that was given up does not stay', async () => {
    const { client, wires, hooks, upstream, server, closedConnections } = scripted();
    const late = Promise.withResolvers<void>();
    hooks.connecting = () => late.promise;
    client.say(GET('/1'));
    await settled();
    server.breakOff('unenrolled');
    Object.assign(upstream, { closed: true });
    late.resolve();
    await settled();
    assert.ok(wires[0]?.closed);
    assert.equal(closedConnections(), 1);
    assert.equal(upstream.idle.length, 0);
  });

  it('is given back unpaused, with nothing of the client’s slowness', async () => {
    const { client, wires, upstream } = scripted();
    client.say(GET('/1'));
    await settled();
    client.room = false;
    wires[0]?.say('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    assert.equal(wires[0]?.paused, true);
    // What was on its way.
    wires[0]?.say('half');
    assert.equal(wires[0]?.paused, false);
    assert.equal(upstream.idle.length, 1);
  });

  it('that says more while it waits is closed', async () => {
    const { client, wires, upstream } = scripted();
    client.say(GET('/1'));
    await settled();
    wires[0]?.say(OK('1'));
    assert.equal(upstream.idle.length, 1);
    wires[0]?.say('x');
    assert.equal(upstream.idle.length, 0);
    assert.ok(wires[0]?.closed);
  });

  it('whose interim answers nobody reads is stopped', async () => {
    const { client, wires } = scripted();
    client.say(GET('/1'));
    await settled();
    client.room = false;
    wires[0]?.say('HTTP/1.1 103 Hints\r\n\r\n');
    assert.equal(wires[0]?.paused, true);
    client.room = true;
    client.events?.onDrain();
    assert.equal(wires[0]?.paused, false);
    wires[0]?.say(OK('1'));
    assert.match(client.text, /103 Hints[\s\S]*200 OK/);
  });

  it('whose refused answer is broken is not mixed up with the next attempt’s', async () => {
    const { client, wires, plan } = scripted();
    plan.keepBytes = 100;
    plan.retryStatus = 503;
    client.say(GET('/1'));
    await settled();
    wires[0]?.say('HTTP/1.1 503 Broken\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    await settled();
    assert.ok(wires[0]?.closed);
    wires[0]?.say(OK('ghost'));
    wires[1]?.say(OK('real'));
    assert.match(client.text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 4\r\n\r\nreal$/);
    assert.equal(plan.ends.length, 1);
  });
});

describe('waiting', () => {
  it('for a client that does not go on ends with 408, whatever may be tried again', async () => {
    const { client, wires, plan, server } = scripted();
    plan.idleMs = 1_000;
    plan.keepBytes = 100;
    plan.retry = () => true;
    client.say('POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\nabc');
    await settled();
    server.check(1_000);
    await settled();
    assert.match(client.text, /^HTTP\/1\.1 408 /);
    assert.equal(wires.length, 1);
    assert.deepEqual(plan.failures, [['timeout_client', false]]);
  });

  it('for a connection that takes less than has come keeps the client waiting', async () => {
    const { client, wires, hooks } = scripted();
    const late = Promise.withResolvers<void>();
    hooks.connecting = () => late.promise;
    client.say(`POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(1_200)}`);
    (wires[0] as ScriptedWire).room = false;
    late.resolve();
    await settled();
    assert.equal(client.paused, true);
    wires[0]?.events?.onDrain();
    assert.equal(client.paused, false);
  });

  it('for a connection holds so many bytes and no more, then goes on', async () => {
    const { client, wires, hooks } = scripted();
    const late = Promise.withResolvers<void>();
    hooks.connecting = () => late.promise;
    const body = 'x'.repeat(1_500);
    client.say(`POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1500\r\n\r\n${body.slice(0, 900)}`);
    assert.equal(client.paused, false);
    client.say(body.slice(900, 1_200));
    assert.equal(client.paused, true);
    late.resolve();
    await settled();
    assert.equal(client.paused, false);
    client.say(body.slice(1_200));
    assert.ok(wires[0]?.text.endsWith(`\r\n\r\n${body}`));
  });

  it('for a verdict that never matters any more ends the request once', async () => {
    const { client, plan, closed } = scripted();
    const verdict = Promise.withResolvers<'forward'>();
    plan.verdict = () => verdict.promise;
    client.say(GET('/1'));
    client.close(false);
    verdict.resolve('forward');
    await settled();
    assert.deepEqual([plan.ends.length, closed()], [1, 1]);
  });

  it('for a verdict that fails is answered', async () => {
    const { client, plan } = scripted();
    plan.verdict = () => Promise.reject(new HttpRefusal('unresolved', 'not in time'));
    client.say(GET('/1'));
    await settled();
    assert.match(client.text, /^HTTP\/1\.1 503 [\s\S]*unresolved/);
  });
});
