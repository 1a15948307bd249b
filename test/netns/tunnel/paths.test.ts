import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, echo, ended, TunnelRig, tryAsk } from './rig.ts';

describe('the ways of a connection', { skip: netnsUnavailable() }, () => {
  let rig: TunnelRig;
  before(async () => {
    rig = await TunnelRig.open();
    for (const pod of [rig.a, rig.b, rig.c, rig.x]) {
      await pod.ns.listen('::', 80, echo(pod.name), { v6only: false });
      rig.knowWorkload(pod, 80);
    }
    rig.knowService('10.96.0.1:8080', rig.replica(rig.b, 80), rig.replica(rig.c, 80));
  });
  after(() => rig?.close());

  it('between nodes goes through a tunnel, and the application sees the caller’s address', async () => {
    const socket = await rig.a.ns.connect(rig.b.ip, 80);
    assert.equal(await ask(socket, 'hello'), `b ${rig.a.ip} hello`);
    socket.end();
    await ended(socket);
    const [entry] = rig.n2.log.splice(0);
    assert.equal(entry?.security, 'mutual_tls');
    assert.equal(entry?.source.identity, rig.a.identity);
    assert.equal(entry?.source.workload, 'shop/a');
    assert.equal(entry?.end, 'closed');
    assert.equal(entry?.rule, 'default');
  });

  it('by a virtual address reaches one of the service’s replicas', async () => {
    const socket = await rig.a.ns.connect('10.96.0.1', 8080);
    assert.match(await ask(socket, 'hi'), /^[bc] 10\.5\.0\.2 hi$/);
    socket.destroy();
  });

  it('within a node is joined without TLS, and still with the caller’s address', async () => {
    const socket = await rig.b.ns.connect(rig.c.ip, 80);
    assert.equal(await ask(socket, 'hello'), `c ${rig.b.ip} hello`);
    socket.end();
    await ended(socket);
    const entry = rig.n2.log.findLast(({ direction }) => direction === 'outbound');
    assert.equal(entry?.security, 'same_node');
    assert.equal(entry?.destination.identity, rig.c.identity);
  });

  it('to a stranger passes through untouched', async () => {
    const socket = await rig.a.ns.connect(rig.x.ip, 80);
    assert.equal(await ask(socket, 'hello'), `x ${rig.a.ip} hello`);
    socket.destroy();
  });

  it('from a stranger enters in plaintext while that is permitted', async () => {
    const socket = await rig.x.ns.connect(rig.b.ip, 80);
    assert.equal(await ask(socket, 'hello'), `b ${rig.x.ip} hello`);
    socket.end();
    await ended(socket);
    assert.equal(rig.n2.log.findLast(({ direction }) => direction === 'inbound')?.source.identity, '');
  });

  it('over IPv6 works the same', async () => {
    rig.bindings.set(`[${rig.b.ip6}]:80`, {
      target: 'workload',
      replica: rig.replica(rig.b, 80, { address: `[${rig.b.ip6}]:80` }),
    });
    const tunnelled = await rig.a.ns.connect(rig.b.ip6, 80);
    assert.equal(await ask(tunnelled, 'six'), `b ${rig.a.ip6} six`);
    tunnelled.destroy();
    const plain = await rig.x.ns.connect(rig.b.ip6, 80);
    assert.equal(await ask(plain, 'six'), `b ${rig.x.ip6} six`);
    plain.destroy();
  });

  it('keeps a half-close: the answer after the request’s end arrives', async () => {
    await rig.b.ns.listen('0.0.0.0', 81, socket => {
      let heard = '';
      socket.on('data', chunk => (heard += chunk));
      socket.on('end', () => socket.end(`heard ${heard.length}`));
    });
    rig.knowWorkload(rig.b, 81);
    const socket = await rig.a.ns.connect(rig.b.ip, 81);
    socket.end('x'.repeat(200_000));
    const [answer] = await once(socket, 'data');
    assert.equal(String(answer), 'heard 200000');
  });

  it('hands a reset on, so that a cut is not taken for an end', async () => {
    await rig.b.ns.listen('0.0.0.0', 82, socket => socket.once('data', () => socket.resetAndDestroy()));
    rig.knowWorkload(rig.b, 82);
    const socket = await rig.a.ns.connect(rig.b.ip, 82);
    const failed = once(socket, 'error');
    socket.write('die');
    const [error] = await failed;
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('tries another endpoint when one refuses, before a byte is sent', async () => {
    rig.knowService('10.96.0.2:80', rig.replica(rig.b, 4999), rig.replica(rig.c, 80));
    for (let i = 0; i < 10; i++) {
      const socket = await rig.a.ns.connect('10.96.0.2', 80);
      assert.match(await ask(socket, 'hi'), /^c /);
      socket.destroy();
    }
  });

  it('refuses with a reason what leads nowhere', async () => {
    rig.knowService('10.96.0.3:80');
    assert.equal(await tryAsk(rig.a, '10.96.0.3', 80), 'refused');
    assert.equal(rig.n1.refusals['no_endpoints'], 1);
  });

  it('refuses a connection to the capture port itself', async () => {
    assert.equal(await tryAsk(rig.a, '127.0.0.1', 15001), 'refused');
    assert.equal(rig.n1.refusals['no_original_destination'], 1);
  });

  it('moves bulk both ways without loss', async () => {
    const size = 32 * 1024 * 1024;
    await rig.b.ns.listen('0.0.0.0', 83, socket => void socket.pipe(socket));
    rig.knowWorkload(rig.b, 83);
    const socket = await rig.a.ns.connect(rig.b.ip, 83);
    const block = Buffer.alloc(1024 * 1024, 'nodemesh');
    let received = 0;
    let matches = true;
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk.subarray(0, 64)) matches &&= byte === block[received++ % 8];
      received += Math.max(chunk.length - 64, 0);
    });
    for (let sent = 0; sent < size; sent += block.length) {
      if (!socket.write(block)) await once(socket, 'drain');
    }
    socket.end();
    await once(socket, 'close');
    assert.equal(received, size);
    assert.ok(matches);
  });
});
