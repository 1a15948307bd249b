/** `npm run bench -- l7`, inside the corner: stage, rounds, report; or a profile instead of rounds. */

import { writeFileSync } from 'node:fs';
import { MeshError } from '#base/errors.ts';
import { describeMachine, describePeers, readMachine } from '../machine.ts';
import type { Options } from '../options.ts';
import { pinning } from '../pinning.ts';
import type { Results } from './figures.ts';
import { hasPerf, PROFILED, profile, readProfile, renderProfile } from './profile.ts';
import { renderReport } from './report.ts';
import { buildStage, type Stage } from './stage.ts';
import { FULL, QUICK, Rounds, WARM_UP_MS, type Work, workOf } from './work.ts';

/** A few connections per request under way, in each peer. */
const MAX_CONNECTIONS = 2_000;
/** Of load under each profile: some ten thousand samples on a busy proxy. */
const PROFILED_MS = 10_000;

export async function runL7(options: Options, say: (step: string) => void): Promise<void> {
  if (options.profile && !hasPerf())
    throw new MeshError('NM_BENCH_PERF', 'there is no perf on the PATH', {
      by: 'config',
      next: "Install it (Debian's package linux-perf), or leave --profile out.",
    });
  const machine = readMachine();
  const pins = pinning(machine.cores, options.pinned);
  const scale = options.quick ? QUICK : FULL;
  const { workers, peersOnly } = options;
  const flags = options.profile ? { flags: PROFILED } : {};
  const ground = { workers, pins, peersOnly, maxConnections: MAX_CONNECTIONS, say, ...flags };
  const stage = await buildStage(ground);
  const works = workOf(scale, options.only);
  try {
    const rounds = new Rounds(stage.contenders, works, scale, pins, say);
    const setting = [
      describeMachine(machine),
      describePeers(),
      `${workers} worker thread(s) in each proxy; ${pins.description}`,
      ...(options.quick ? ['Quick run: too short for figures to quote'] : []),
    ].join('\n');
    if (options.profile) {
      process.stdout.write(`${setting}\n\n${await profiles(stage, rounds, works, say)}\n`);
      return;
    }
    await rounds.warm();
    const results: Results = { rounds: [] };
    for (let number = 1; number <= options.rounds; number++) results.rounds.push(await rounds.round(number));
    results.failures = [...rounds.failures.values()].map(({ message }) => message);
    process.stdout.write(`${setting}\n\n${renderReport(results, scale)}\n`);
    if (options.json !== undefined) {
      const all = { machine, options: { ...options, only: [...options.only] }, scale, ...results };
      writeFileSync(options.json, `${JSON.stringify(all, undefined, 1)}\n`);
    }
  } finally {
    await stage.close();
  }
}

/** Each of our two ways with each kind of closed loop, one at a time, proxies warm. */
async function profiles(
  { contenders }: Stage,
  rounds: Rounds,
  works: readonly Work[],
  say: (step: string) => void,
): Promise<string> {
  const parts: string[] = [];
  for (const contender of contenders.filter(({ name }) => name === 'mesh-near' || name === 'mesh-far'))
    for (const { protocol, order, id } of works) {
      if (order.kind !== 'requests') continue;
      say(`profile: ${contender.name}: ${id}`);
      const load = (durationMs: number) => rounds.run(contender, protocol, id, { ...order, durationMs });
      await load(WARM_UP_MS);
      const report = await profile(contender.pids(), () => load(PROFILED_MS));
      parts.push(`${contender.name}, ${id}: ${renderProfile(readProfile(report))}`);
    }
  return parts.join('\n\n');
}
