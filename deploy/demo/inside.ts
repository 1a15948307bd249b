/** The demo proper, inside its private corner: builds the stage, shows or checks it, and leaves. */

import { MeshError, messageOf } from '#base/errors.ts';
import { serveDoors } from './doors.ts';
import { buildCni } from './mesh/mesh.ts';
import { readOptions } from './options.ts';
import { checkAll } from './scenarios/check.ts';
import { showLive } from './show/live.ts';
import { Stage } from './stage.ts';

const { check, json, only, plain, forSeconds } = readOptions(process.argv.slice(2));
const leaving = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leaving.abort());
// The parent is gone, or wants us gone.
process.on('disconnect', () => leaving.abort());
if (Number.isFinite(forSeconds)) setTimeout(() => leaving.abort(), forSeconds * 1000).unref();

process.exit(await demo());

async function demo(): Promise<number> {
  const start = performance.now();
  const say = (step: string) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    process.stderr.write(`${seconds.padStart(6)} s  ${step}\n`);
  };
  const doors = await serveDoors();
  let stage: Stage | undefined;
  try {
    if (!plain) buildCni(say);
    stage = await Stage.build({ plain, say, signal: leaving.signal });
    if (check) return (await checkAll(stage, { json, only, signal: leaving.signal, say })) ? 0 : 1;
    await showLive({ stage, plain, urls: doors.urls, signal: leaving.signal });
    return 0;
  } catch (error) {
    if (leaving.signal.aborted) return check ? 1 : 0;
    const next = error instanceof MeshError ? error.next : undefined;
    process.stderr.write(`${messageOf(error)}\n${next === undefined ? '' : `${next}\n`}`);
    return 1;
  } finally {
    doors.close();
    await stage?.close();
  }
}
