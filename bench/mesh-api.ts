/**
 * `node bench/mesh-api.ts --proxies 500`: one namerd and many node proxies on one machine. How long a change of an
 * endpoint takes to reach all of them, and what that costs namerd. Server and clients are processes of their own, so
 * CPU and memory are the server's alone; on few cores the clients' work delays what they see.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCpuMs, readMemory } from './measure/processes.ts';
import { percentile } from './measure/statistics.ts';
import type { FromProxies, FromServer, ProxiesStart, Scale, ServerStart, ToServer } from './mesh/messages.ts';

const { values } = parseArgs({
  options: {
    proxies: { type: 'string', default: '500' },
    names: { type: 'string', default: '20' },
    'all-names': { type: 'string', default: '200' },
    replicas: { type: 'string', default: '10' },
    changes: { type: 'string', default: '20' },
    processes: { type: 'string', default: '2' },
    source: { type: 'string', default: 'fake' },
    json: { type: 'boolean', default: false },
  },
});
const scale: Scale = {
  proxies: Number(values.proxies),
  names: Number(values.names),
  allNames: Number(values['all-names']),
  replicas: Number(values.replicas),
};
const source = values.source === 'registry' ? 'registry' : 'fake';
const changes = Number(values.changes);
/** Quiet time over which the cost of heartbeats is read, and over which changes of one kind are spread. */
const IDLE_MS = 10_000;

const dir = mkdtempSync(join(tmpdir(), 'nodemesh-bench-'));
const children: ChildProcess[] = [];
try {
  const results = await run();
  process.stdout.write(values.json ? `${JSON.stringify(results)}\n` : describe(results));
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}

async function run() {
  let server = await startServer(0);
  const memoryAlone = rss(server.child);
  const cpuBefore = cpu(server.child);
  const began = server.atMs;
  const proxies = await startProxies(server);
  const readyAt = Math.max(
    ...(await Promise.all(proxies.map(child => answer(child, 'ready')))).map(({ atMs }) => atMs),
  );
  const join = { ms: readyAt - began, cpuMs: cpu(server.child) - cpuBefore };
  const stats = await ask(server.child, { type: 'stats' }, 'stats');
  const idle = await costOf(server.child, () => pause(IDLE_MS));
  const memory = rss(server.child);

  const spreads: number[][] = [];
  let mark = 2;
  const hot = await costOf(server.child, async () => {
    for (; mark < 2 + changes; mark++) {
      spreads.push(await spreadOf(server.child, proxies, mark));
      await pause(50);
    }
  });
  const narrow = await costOf(server.child, async () => {
    for (let i = 0; i < changes; i++) {
      const name = 1 + ((i * 7) % Math.max(scale.allNames - 1, 1));
      await ask(server.child, { type: 'change', name, mark: 1000 + i }, 'changed');
      await pause(50);
    }
  });

  server.child.kill('SIGKILL');
  await once(server.child, 'exit');
  await pause(3000);
  const port = server.port;
  const marked = proxies.map(child => answer(child, 'marked'));
  server = await startServer(port);
  await ask(server.child, { type: 'change', name: 0, mark }, 'changed');
  const back = (await Promise.all(marked))
    .flatMap(({ atMs }) => atMs.map(at => at - server.atMs))
    .sort((a, b) => a - b);
  const cpuOfReturn = cpu(server.child);
  const all = spreads.flat().sort((a, b) => a - b);
  return {
    source,
    scale,
    stats: { streams: stats.streams, watches: stats.watches, topics: stats.topics },
    join,
    memoryMb: {
      alone: memoryAlone,
      all: memory,
      perProxyKb: ((memory - memoryAlone) * 1024) / scale.proxies,
    },
    idleCpuPercent: (idle / IDLE_MS) * 100,
    hotChange: {
      cpuMs: (hot - (idle / IDLE_MS) * 50 * changes) / changes,
      firstMs: median(spreads.map(times => Math.min(...times))),
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
      lastMs: { median: median(spreads.map(times => Math.max(...times))), worst: all.at(-1) ?? Number.NaN },
    },
    narrowChange: {
      cpuMs: (narrow - (idle / IDLE_MS) * 50 * changes) / changes,
      watchers: stats.watches / scale.allNames,
    },
    restart: {
      cpuMs: cpuOfReturn,
      p50Ms: percentile(back, 0.5),
      p99Ms: percentile(back, 0.99),
      lastMs: back.at(-1) ?? Number.NaN,
    },
  };
}

function describe(results: Awaited<ReturnType<typeof run>>): string {
  const { join, memoryMb, idleCpuPercent, hotChange, narrowChange, restart, stats } = results;
  const n = (value: number, digits = 1) => value.toFixed(digits);
  return `${source} source: ${scale.proxies} proxies, ${stats.watches} watches of ${stats.topics} keys, ${scale.replicas} replicas each
joining, connecting and all first states  ${n(join.ms, 0)} ms, namerd's CPU ${n(join.cpuMs, 0)} ms
one endpoint change to all proxies        first ${n(hotChange.firstMs)} ms, p50 ${n(hotChange.p50Ms)} ms, p99 ${n(hotChange.p99Ms)} ms, last ${n(hotChange.lastMs.median)} ms (worst ${n(hotChange.lastMs.worst)} ms)
  namerd's CPU for it                     ${n(hotChange.cpuMs)} ms
a change of a name that few watch         ${n(narrowChange.cpuMs, 2)} ms of CPU
quiet                                     ${n(idleCpuPercent, 2)} % of a core
memory (RSS)                              ${n(memoryMb.alone, 0)} MB alone, ${n(memoryMb.all, 0)} MB with all: ${n(memoryMb.perProxyKb, 0)} KB per proxy
killed and restarted: newest state after  p50 ${n(restart.p50Ms, 0)} ms, p99 ${n(restart.p99Ms, 0)} ms, last ${n(restart.lastMs, 0)} ms from listening on
  namerd's CPU for it, its start included ${n(restart.cpuMs, 0)} ms
`;
}

/** How long each proxy waited for one change, milliseconds. */
async function spreadOf(
  server: ChildProcess,
  proxies: readonly ChildProcess[],
  mark: number,
): Promise<number[]> {
  const arrivals = proxies.map(child => answer(child, 'marked'));
  const { atMs: changedAt } = await ask(server, { type: 'change', name: 0, mark }, 'changed');
  return (await Promise.all(arrivals)).flatMap(({ atMs }) => atMs.map(at => at - changedAt));
}

async function startServer(port: number) {
  const child = start('server.ts');
  const listening = answer(child, 'listening');
  child.send({ source, scale, port, dir } satisfies ServerStart);
  return { child, ...(await listening) };
}

async function startProxies(server: { port: number; roots: readonly string[] }): Promise<ChildProcess[]> {
  const processes = Math.min(Number(values.processes), scale.proxies);
  const share = Math.ceil(scale.proxies / processes);
  return Array.from({ length: processes }, (_, i) => {
    const child = start('proxies.ts');
    const first = i * share;
    const { port, roots } = server;
    child.send({
      first,
      count: Math.min(share, scale.proxies - first),
      scale,
      port,
      roots,
    } satisfies ProxiesStart);
    return child;
  });
}

function start(file: string): ChildProcess {
  const child = fork(new URL(`./mesh/${file}`, import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

type Message = FromServer | FromProxies;

/** The next message of this type; fails when the process ends first. */
function answer<T extends Message['type']>(
  child: ChildProcess,
  type: T,
): Promise<Extract<Message, { type: T }>> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`a process of the bench ended before its '${type}'`));
    const onMessage = (message: Message) => {
      if (message.type !== type) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(message as Extract<Message, { type: T }>);
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

function ask<T extends FromServer['type']>(child: ChildProcess, message: ToServer, type: T) {
  const answered = answer(child, type);
  child.send(message);
  return answered;
}

async function costOf(child: ChildProcess, act: () => Promise<unknown>): Promise<number> {
  const before = cpu(child);
  await act();
  return cpu(child) - before;
}

function cpu({ pid = 0 }: ChildProcess): number {
  return readCpuMs([pid]);
}

function rss({ pid = 0 }: ChildProcess): number {
  return readMemory([pid]).rss / 1024 / 1024;
}

function median(numbers: readonly number[]): number {
  return percentile(
    [...numbers].sort((a, b) => a - b),
    0.5,
  );
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
