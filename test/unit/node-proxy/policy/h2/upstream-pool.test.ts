import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type ConnectionEvents, H2Connection, type H2Stream } from '../../../../../node-proxy/http2/index.ts';
import { WireTransport } from '../../../../../node-proxy/policy/h2/transport.ts';
import type { H2Upstream } from '../../../../../node-proxy/policy/h2/upstream-connection.ts';
import { H2Pool, type Waiter } from '../../../../../node-proxy/policy/h2/upstream-pool.ts';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import { wirePair } from '../../../../../node-proxy/policy/wire/pair.ts';
import type { Wire } from '../../../../../node-proxy/policy/wire/wire.ts';

const TIMES = { openMs: 100, idleMs: 1_000, lingerMs: 50 };
const GET = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
] as const;
const NO_EVENTS = { onHeaders() {}, onData() {}, onEnd() {}, onReset() {}, onDrain() {} };

/** Applications at the far ends of wires, and the limits of an upstream. */
class Endpoint {
  readonly address = '10.0.0.1:80';
  dials = 0;
  closed = 0;
  waiting = 0;
  most = Number.POSITIVE_INFINITY;
  refusal: HttpRefusal | undefined;
  silent = false;
  readonly apps: H2Connection[] = [];
  readonly wires: Wire[] = [];
  readonly streams: H2Stream[] = [];
  goaways = 0;

  async connect() {
    this.dials += 1;
    if (this.refusal !== undefined) throw this.refusal;
    const [near, far] = wirePair();
    this.wires.push(far);
    if (!this.silent) this.#serve(far);
    return { wire: near, closed: () => void (this.closed += 1) };
  }

  wait(): boolean {
    if (this.waiting >= this.most) return false;
    this.waiting += 1;
    return true;
  }

  waited(): void {
    this.waiting -= 1;
  }

  #serve(wire: Wire): void {
    const events: ConnectionEvents = {
      onReady() {},
      onStream: stream => {
        this.streams.push(stream);
        return NO_EVENTS;
      },
      onGoaway: () => void (this.goaways += 1),
      onClosed() {},
    };
    const app = new H2Connection({ role: 'server', transport: new WireTransport(wire), events });
    this.apps.push(app);
    wire.start({
      onData: chunk => app.receive(chunk),
      onEnd: () => app.transportEnded(),
      onDrain: () => app.drained(),
      onClosed: () => app.transportEnded(),
    });
  }
}

class Request implements Waiter {
  connection: H2Upstream | undefined;
  refusal: HttpRefusal | undefined;
  stream: H2Stream | undefined;

  connected(connection: H2Upstream): void {
    this.connection = connection;
    this.stream = connection.open(GET, NO_EVENTS, true);
  }

  unconnected(refusal: HttpRefusal): void {
    this.refusal = refusal;
  }
}

function ask(pool: H2Pool, count = 1): Request[] {
  return Array.from({ length: count }, () => {
    const request = new Request();
    const ready = pool.take();
    if (ready !== undefined) request.connected(ready);
    else request.refusal = pool.wait(request);
    return request;
  });
}

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

test('who comes while a connection is made waits for that one', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 100, TIMES);
  const requests = ask(pool, 10);
  await turns();
  assert.equal(endpoint.dials, 1);
  assert.equal(endpoint.waiting, 0);
  assert.ok(requests.every(({ stream }) => stream !== undefined));
  ask(pool, 5);
  await turns();
  assert.equal(endpoint.dials, 1);
  assert.equal(endpoint.streams.length, 15);
});

test('full connections get siblings one after another; a freed place is used', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 2, TIMES);
  const requests = ask(pool, 5);
  await turns();
  assert.deepEqual([endpoint.dials, pool.size], [3, 3]);
  assert.ok(requests.every(({ stream }) => stream !== undefined));
  const [sixth, seventh] = ask(pool, 2);
  assert.ok(sixth?.stream !== undefined && seventh?.stream === undefined);
  requests[0]?.stream?.reset(8);
  pool.freed();
  assert.ok(seventh?.stream !== undefined);
});

test('no more wait than may, and who leaves is not called', async () => {
  const endpoint = new Endpoint();
  endpoint.most = 2;
  const pool = new H2Pool(endpoint, 1, TIMES);
  const [first, second, third] = ask(pool, 3);
  assert.equal(third?.refusal?.reason, 'overloaded');
  pool.leave(first as Request);
  pool.leave(first as Request);
  assert.equal(endpoint.waiting, 1);
  await turns();
  assert.equal(first?.connection, undefined);
  assert.ok(second?.stream !== undefined);
});

test('a connection that fails is told to all who wait, and made anew for the next', async () => {
  const endpoint = new Endpoint();
  endpoint.refusal = new HttpRefusal('connect_failed', 'no');
  const pool = new H2Pool(endpoint, 1, TIMES);
  const requests = ask(pool, 3);
  await turns();
  assert.deepEqual(
    requests.map(({ refusal }) => refusal?.reason),
    ['connect_failed', 'connect_failed', 'connect_failed'],
  );
  endpoint.refusal = undefined;
  const [next] = ask(pool);
  await turns();
  assert.ok(next?.stream !== undefined);
});

test('at the limit of connections the rest waits for those that exist', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 1, TIMES);
  const [first] = ask(pool);
  await turns();
  endpoint.refusal = new HttpRefusal('overloaded', 'no more connections');
  const [second] = ask(pool);
  await turns();
  assert.deepEqual([second?.stream, second?.refusal], [undefined, undefined]);
  first?.stream?.reset(8);
  pool.freed();
  assert.ok(second?.stream !== undefined);
});

test('after GOAWAY another connection is made; the old one lives until its streams end', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 10, TIMES);
  const [old] = ask(pool);
  await turns();
  endpoint.apps[0]?.goaway();
  await turns();
  const [next] = ask(pool);
  await turns();
  assert.equal(endpoint.dials, 2);
  assert.notEqual(next?.connection, old?.connection);
  assert.equal(endpoint.closed, 0);
  endpoint.streams[0]?.respond([[':status', '200']], true);
  await turns();
  assert.deepEqual([endpoint.closed, pool.size], [1, 1]);
});

test('unused for its time, a connection says GOAWAY and is closed', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 10, TIMES);
  const [only] = ask(pool);
  await turns();
  pool.sweep(1);
  pool.sweep(10_000);
  assert.ok(pool.take() !== undefined, 'it has a stream');
  only?.stream?.reset(8);
  pool.freed();
  pool.sweep(10_001);
  assert.ok(pool.take() !== undefined, 'it may be used again');
  pool.sweep(11_001);
  assert.equal(pool.take(), undefined);
  await turns();
  assert.deepEqual([endpoint.goaways, endpoint.closed, pool.size], [1, 1, 0]);
});

test('an application that says nothing, or HTTP/1, is given up with the reason', async () => {
  const endpoint = new Endpoint();
  endpoint.silent = true;
  const pool = new H2Pool(endpoint, 10, TIMES);
  const [unanswered] = ask(pool);
  await turns();
  pool.sweep(1);
  pool.sweep(101);
  assert.equal(unanswered?.refusal?.reason, 'connect_failed');
  await turns();
  assert.deepEqual([endpoint.closed, pool.size], [1, 0]);
  const [old] = ask(pool);
  await turns();
  const far = endpoint.wires[1] as Wire;
  far.start({ onData() {}, onEnd() {}, onDrain() {}, onClosed() {} });
  far.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await turns();
  assert.equal(old?.refusal?.reason, 'bad_response');
  assert.match(old?.refusal?.message ?? '', /speaks HTTP\/1/);
});

test('given up, it closes what it has and takes nobody', async () => {
  const endpoint = new Endpoint();
  const pool = new H2Pool(endpoint, 1, TIMES);
  ask(pool);
  await turns();
  const [waits] = ask(pool);
  pool.destroy();
  assert.equal(waits?.refusal?.reason, 'connect_failed');
  await turns();
  // The one that was being made is closed when it has come.
  assert.deepEqual([endpoint.closed, pool.size, endpoint.waiting], [2, 0, 0]);
  assert.equal(ask(pool)[0]?.refusal?.reason, 'connect_failed');
});
