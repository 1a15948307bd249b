/** The programs of the demo's pods, without a network of their own: services, and the courier that calls them. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { Delivery } from '../../deploy/demo/calculator/courier.ts';
import type { GrpcDelivery } from '../../deploy/demo/calculator/grpc/trip.ts';
import { program } from '../../deploy/demo/inventory.ts';
import { mustAsk } from '../../deploy/demo/mesh/http.ts';

const folder = mkdtempSync(join(tmpdir(), 'nodemesh-demo-'));
const orders = join(folder, 'orders.sock');
const control = join(folder, 'control.sock');
const children: ChildProcess[] = [];
let addition = '';
let division = '';

before(async () => {
  const courier = start(program('courier.ts'), { ORDERS: orders });
  const ports = await Promise.all([
    port(start(program('arithmetic.ts', 'addition'), { PORT: '0', CONTROL: control })),
    port(start(program('grpc/service.ts', 'division'), { PORT: '0' })),
  ]);
  addition = `127.0.0.1:${ports[0]}`;
  division = `127.0.0.1:${ports[1]}`;
  // It says that it takes orders.
  await once(createInterface(courier.stdout ?? assert.fail()), 'line');
});

after(async () => {
  for (const child of children) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  rmSync(folder, { recursive: true });
});

function start([command = '', ...args]: readonly string[], env: Record<string, string>): ChildProcess {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

/** From `addition listens on 1234`. */
async function port({ stdout }: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface(stdout ?? assert.fail()), 'line')) as [string];
  return /(\d+)$/.exec(line)?.[1] ?? assert.fail(line);
}

async function order<T = Delivery>(what: object, path = '/'): Promise<T> {
  const options = { method: 'POST', body: JSON.stringify(what), type: 'application/json' };
  return JSON.parse(await mustAsk({ socketPath: orders }, path, options)) as T;
}

test('requests are made as ordered, and counted', async () => {
  const url = `http://${addition}/addition`;
  const { requests, statuses, byUser, moves, answers } = await order({
    url,
    count: 20,
    connections: 3,
    users: 5,
  });
  assert.deepEqual([requests, statuses, moves], [20, { 200: 20 }, {}]);
  assert.equal(byUser.filter(by => by.endsWith('/v1')).length, 5);
  assert.equal(answers[0]?.body, '6');
  const { answers: shown } = await order({
    url: `http://${addition}/headers?x=1`,
    body: '',
    headers: { a: 'b' },
  });
  assert.equal(JSON.parse(shown[0]?.body ?? '{}').a, 'b');
});

test('a service is slow or fails on order', async () => {
  const tell = (behaviour: object) =>
    mustAsk({ socketPath: control }, '/', { method: 'POST', body: JSON.stringify(behaviour) });
  const url = `http://${addition}/addition`;
  await tell({ status: 503, delayMs: 30 });
  const { statuses, latencyMs } = await order({ url });
  assert.deepEqual(statuses, { 503: 1 });
  assert.ok(latencyMs.p50 >= 29, `${latencyMs.p50}`);
  await tell({ status: 0, delayMs: 0 });
  assert.deepEqual((await order({ url })).statuses, { 200: 1 });
});

test('an order without end is stopped', async () => {
  const running = order({ url: `http://${addition}/addition`, count: Number.MAX_SAFE_INTEGER, name: 'x' });
  await order({ name: 'x' }, '/stop');
  assert.equal((await running).statuses['200'], (await running).requests);
});

test('WebSocket messages come back', async () => {
  const messages = ['a', 'b'.repeat(1_000)];
  assert.deepEqual(await order({ url: `ws://${addition}/echo`, messages }, '/websocket'), [
    ...messages,
    'closed 1000',
  ]);
});

test('gRPC calls go over one connection; division by zero is UNKNOWN', async () => {
  const delivery = await order<GrpcDelivery>({ operation: 'division', target: division, count: 8 }, '/grpc');
  assert.deepEqual(delivery.codes, { 0: 6, 2: 2 });
  assert.equal(Object.values(delivery.answeredBy)[0], 8);
  assert.equal(delivery.connections, 1);
  assert.match(delivery.lastMessage, /division by zero/);
});
