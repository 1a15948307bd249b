/** The bench's load generator against its echo server, over loopback, with the echo server as the process watched. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Job, Kind, Outcome } from '../../../bench/load/jobs.ts';
import { REQUEST_BYTES } from '../../../bench/load/requests.ts';

const LOAD = join(import.meta.dirname, '../../../bench/load');
let server: ChildProcess;
let port: number;

before(async () => {
  server = spawn(process.execPath, [join(LOAD, 'echo.ts')], {
    env: { PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(server.stdout ?? server, 'data');
  port = Number(/listening on (\d+)/.exec(String(line))?.[1]);
});

after(async () => {
  server.kill();
  await once(server, 'exit');
});

async function generate<J extends Job>(job: J): Promise<Outcome[J['kind']]> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(LOAD, 'generate.ts'),
    JSON.stringify(job),
  ]);
  return JSON.parse(stdout) as Outcome[J['kind'] & Kind];
}

const watched = () => ({ target: { ip: '127.0.0.1', port }, pids: [server.pid ?? -1] });

test('closed loop: requests are answered and cost something', async () => {
  const cost = await generate({
    kind: 'requests',
    connections: 4,
    warmMs: 20,
    durationMs: 200,
    ...watched(),
  });
  assert.ok(cost.units > 100, `${cost.units} requests`);
  assert.ok(cost.cpuMs > 0 && cost.cpuMs < 10 * cost.wallMs, `${cost.cpuMs} ms of CPU`);
});

test('connections: all of them, one request each', async () => {
  const cost = await generate({ kind: 'connections', parallel: 4, warm: 4, count: 50, ...watched() });
  assert.equal(cost.units, 50);
  assert.ok(cost.cpuMs > 0);
});

test('bulk: both directions, every byte', async () => {
  const cost = await generate({ kind: 'bulk', bytes: 2e7, ...watched() });
  assert.equal(cost.units, 2e7);
  assert.ok(cost.cpuMs > 0);
});

test('open loop: as many requests as the rate says, latencies in order', async () => {
  const paced = { kind: 'paced', connections: 3, ratePerSecond: 500, warmMs: 50, durationMs: 300 } as const;
  const { units, p50, p99, p999, max, lateP99 } = await generate({ ...paced, ...watched() });
  assert.equal(units, 150);
  assert.ok(p50 > 0 && p50 <= p99 && p99 <= p999 && p999 <= max, `${p50} ${p99} ${p999} ${max}`);
  assert.ok(lateP99 >= 0);
});

test('open loop: a server that stands still is charged for every request that was due meanwhile', async () => {
  const paced = { kind: 'paced', connections: 2, ratePerSecond: 200, warmMs: 0, durationMs: 500 } as const;
  server.kill('SIGSTOP');
  const going = generate({ ...paced, ...watched() });
  // The kernel accepts connections and bytes for the stopped server; the schedule runs on without answers.
  while (unreadBytes() < 100 * REQUEST_BYTES) await new Promise(resolve => setTimeout(resolve, 20));
  server.kill('SIGCONT');
  const { p50, units } = await going;
  assert.equal(units, 100);
  assert.ok(
    p50 > 240,
    `half of the requests were due 250 ms before the first answer, the median says ${p50}`,
  );
});

/** In the receive queues of the server's connections. */
function unreadBytes(): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp6', 'latin1').split('\n').slice(1, -1);
  const open = lines
    .map(line => line.trim().split(/\s+/))
    .filter(([, at, , state]) => at?.endsWith(local) && state === '01');
  return open.reduce((sum, fields) => sum + Number.parseInt(fields[4]?.split(':')[1] ?? '0', 16), 0);
}

test('idle: weighed at each count', async () => {
  const { weights } = await generate({ kind: 'idle', counts: [0, 20], settleMs: 10, ...watched() });
  assert.deepEqual(
    weights.map(({ connections }) => connections),
    [0, 20],
  );
  for (const { pss, rss } of weights) assert.ok(pss > 1e6 && rss >= pss, `${pss} ${rss}`);
});

test('a refused connection ends the job with the reason', async () => {
  const refused = { target: { ip: '127.0.0.1', port: 1 }, pids: [] };
  const job = { kind: 'connections', parallel: 1, warm: 0, count: 1, ...refused } as const;
  await assert.rejects(generate(job), /ECONNREFUSED/);
});
