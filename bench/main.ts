/**
 * `npm run bench -- l4`: side by side with peers, in one run, in a private corner of this machine.
 * `npm run bench -- l7`: the same for HTTP.
 * `npm run bench -- mesh-api`: one namerd and many proxies. See README.md for what is measured and how.
 */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { MeshError, messageOf } from '#base/errors.ts';
import { isIsolated, isolation } from '../deploy/isolate.ts';
import { canTimeCniAdd, timeCniAdd } from './contenders/cni-add.ts';
import { CNI_FOLDER, CNI_TYPE, MESHED } from './ground.ts';
import { FULL, L4, QUICK, type Results } from './l4.ts';
import { runL7 } from './l7/run.ts';
import { describeMachine, readMachine } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { pinning } from './pinning.ts';
import { renderReport } from './report/report.ts';
import { buildStage, type Stage } from './stage.ts';

/** Descriptors that a proxy needs besides two for each connection. */
const SPARE_FILES = 200;
const CNI_PODS = 10;

process.exitCode = await main(process.argv.slice(2));

async function main([what, ...args]: string[]): Promise<number> {
  if (what === 'mesh-api') {
    // A program of its own, which reads its own options.
    process.argv.splice(2, 1);
    await import('./mesh-api.ts');
    return 0;
  }
  if ((what !== 'l4' && what !== 'l7') || args.includes('--help')) {
    process.stderr.write(`${USAGE}\n`);
    return args.includes('--help') || what === '--help' ? 0 : 2;
  }
  let options: Options;
  try {
    options = readOptions(args, what);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}\n`);
    return 2;
  }
  if (!isIsolated()) return again();
  try {
    const say = narrator();
    await (what === 'l7' ? runL7(options, say) : runL4(options, say));
    return 0;
  } catch (error) {
    const next = error instanceof MeshError ? error.next : undefined;
    process.stderr.write(`${messageOf(error)}\n${next === undefined ? '' : `${next}\n`}`);
    return 1;
  }
}

/** This same command inside the corner, which ends with it and takes all that it started along. */
async function again(): Promise<number> {
  const corner = isolation();
  if (!corner.possible) {
    process.stderr.write(`The bench makes its own network inside this machine, but: ${corner.reason}.\n`);
    return 1;
  }
  const [command = '', ...prefix] = corner.prefix;
  const child = spawn(command, [...prefix, process.execPath, ...process.argv.slice(1)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });
}

function narrator(): (step: string) => void {
  const start = performance.now();
  return step => {
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    process.stderr.write(`${seconds.padStart(5)} s  ${step}\n`);
  };
}

async function runL4(options: Options, say: (step: string) => void): Promise<void> {
  const machine = readMachine();
  const pins = pinning(machine.cores, options.pinned);
  const scale = options.quick ? QUICK : FULL;
  const most = Math.floor((machine.openFiles - SPARE_FILES) / 2);
  const idle = scale.idle.map(count => Math.min(count, most));
  const { workers, peersOnly } = options;
  const stage = await buildStage({ workers, peersOnly, pins, maxConnections: most, say });
  const results: Results = { rounds: [], idle: {}, cni: undefined };
  try {
    if (options.only.has('cni')) results.cni = await cni(stage, say);
    const l4 = new L4(stage, scale, pins, say);
    if (options.only.has('idle')) results.idle = await l4.weigh(idle);
    await l4.warm(options.only);
    for (let number = 1; number <= options.rounds; number++)
      results.rounds.push(await l4.round(number, options.only));
  } finally {
    await stage.close();
  }
  const setting = [
    describeMachine(machine),
    `${workers} worker thread(s) in each proxy; ${pins.description}`,
    ...(idle.includes(most)
      ? [`A process may open ${machine.openFiles} files here: at most ${most} connections through one proxy`]
      : []),
    ...(options.quick ? ['Quick run: too short for figures to quote'] : []),
  ];
  process.stdout.write(`${setting.join('\n')}\n\n${renderReport(results, scale.ratePerSecond)}\n`);
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, options: { ...options, only: [...options.only] }, scale: { ...scale, idle }, ...results }, undefined, 1)}\n`,
    );
}

async function cni({ cluster, mesh }: Stage, say: (step: string) => void): Promise<Results['cni']> {
  const [node] = cluster.nodes;
  const [proxy] = mesh;
  if (node === undefined || proxy === undefined || !canTimeCniAdd(CNI_FOLDER, CNI_TYPE)) return undefined;
  say('CNI ADD');
  const { socket } = proxy;
  const plugin = { folder: CNI_FOLDER, type: CNI_TYPE };
  const dataDir = '/run/nodemesh-bench/ipam-timed';
  return timeCniAdd({ cluster, node, socket, ...plugin, namespace: MESHED, dataDir, pods: CNI_PODS });
}
