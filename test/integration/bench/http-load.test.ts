/** The load generator's HTTP and gRPC against the bench's application, over loopback. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Job, Outcome } from '../../../bench/load/jobs.ts';
import type { Speech } from '../../../bench/load/speech/dialect.ts';

const BENCH = join(import.meta.dirname, '../../../bench');
const SIZES = [0, 1_024, 300_000];
let app: ChildProcess;
let port: number;

before(async () => {
  app = spawn(process.execPath, [join(BENCH, 'load/http/app.ts')], {
    env: { PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(app.stdout ?? app, 'data');
  port = Number(/listening on (\d+)/.exec(String(line))?.[1]);
});

after(async () => {
  app.kill();
  await once(app, 'exit');
});

async function generate<J extends Job>(job: J): Promise<Outcome[J['kind']]> {
  const command = [join(BENCH, 'load/generate.ts'), JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  return JSON.parse(stdout) as Outcome[J['kind']];
}

function closed(speech: Speech, at = port) {
  const target = { ip: '127.0.0.1', port: at };
  const load = { connections: 2, streams: speech.language === 'grpc' ? 8 : 1, warmMs: 10, durationMs: 150 };
  return { kind: 'requests', ...load, speech, target, pids: [app.pid ?? -1] } as const;
}

test('closed loop: bodies of every size, over both protocols', async () => {
  for (const language of ['http', 'grpc'] as const)
    for (const bodyBytes of SIZES) {
      const { units, cpuMs, ownCpuMs = 0 } = await generate(closed({ language, bodyBytes }));
      assert.ok(units > 20, `${language} ${bodyBytes}: ${units} requests`);
      assert.ok(cpuMs > 0 && ownCpuMs > 0, `${cpuMs} and ${ownCpuMs} ms of CPU`);
    }
});

test('closed loop: requests with bodies of every size', async () => {
  for (const sentBytes of SIZES.slice(1)) {
    const { units } = await generate(closed({ language: 'http', bodyBytes: 5, sentBytes }));
    assert.ok(units > 20, `${sentBytes}: ${units} requests`);
  }
});

test('open loop: as many requests as the rate says, each answered once', async () => {
  for (const language of ['http', 'grpc'] as const) {
    const schedule = { connections: 3, ratePerSecond: 400, warmMs: 50, durationMs: 250 };
    const { target, pids } = closed({ language, bodyBytes: 100 });
    const speech: Speech = { language, bodyBytes: 100 };
    const found = await generate({ kind: 'paced', ...schedule, speech, target, pids });
    assert.equal(found.units, 100);
    assert.ok(found.p50 > 0 && found.p50 <= found.p99 && found.p99 <= found.p999, JSON.stringify(found));
  }
});

test('an answer that is not the one asked for ends the job', async () => {
  const server = createServer((_, response) => void response.writeHead(503).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const wrong = closed({ language: 'http', bodyBytes: 5 }, (server.address() as AddressInfo).port);
  try {
    await assert.rejects(generate(wrong), /5 bytes were asked for and answered with 'HTTP\/1\.1 503/);
  } finally {
    server.close();
  }
});

test("a hop with Node's own HTTP/2 passes calls on, trailers included", async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const free = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  const program = join(BENCH, 'contenders/http/node-http2-hop.ts');
  const hop = spawn(process.execPath, [program, `${free}`, `127.0.0.1:${port}`], { stdio: 'inherit' });
  try {
    const { units } = await generateWhenUp(closed({ language: 'grpc', bodyBytes: 2_000 }, free));
    assert.ok(units > 20, `${units} calls`);
  } finally {
    hop.kill();
    await once(hop, 'exit');
  }
});

async function generateWhenUp(job: ReturnType<typeof closed>): Promise<Outcome['requests']> {
  for (let tries = 0; ; tries++)
    try {
      return await generate(job);
    } catch (error) {
      if (tries === 20 || !String(error).includes('ECONNREFUSED')) throw error;
    }
}
