import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { watchDirectory } from '../../../namerd/store/file/directory-watch.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

interface Looked {
  /** What each look was told, sorted. */
  looks: (string[] | 'all')[];
  clock: FakeClock;
  dir: string;
  /** Ends the look that is under way. */
  finish: () => void;
  next: () => Promise<string[] | 'all'>;
}

function start(t: TestContext, settleMs: number): Looked {
  const dir = mkdtempSync(join(tmpdir(), 'nodemesh-watch-'));
  const clock = new FakeClock();
  const looks: Looked['looks'] = [];
  let told = Promise.withResolvers<string[] | 'all'>();
  let under = Promise.withResolvers<void>();
  const look = (names: ReadonlySet<string> | undefined) => {
    const what = names === undefined ? 'all' : [...names].sort();
    looks.push(what);
    under = Promise.withResolvers();
    told.resolve(what);
    told = Promise.withResolvers();
    return under.promise;
  };
  const stop = watchDirectory(dir, clock, look, settleMs);
  t.after(() => {
    stop();
    rmSync(dir, { recursive: true });
  });
  return { looks, clock, dir, finish: () => under.resolve(), next: () => told.promise };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
}

test('a change tells its name, and what changes during a look is looked at next', async t => {
  const { dir, next, finish, looks } = start(t, 0);
  const first = next();
  writeFileSync(join(dir, 'a'), '1');
  assert.deepEqual(await first, ['a']);
  const second = next();
  writeFileSync(join(dir, 'b'), '1');
  await turns();
  assert.equal(looks.length, 1);
  finish();
  assert.ok((await second).includes('b'));
});

test('a change is looked at when it has settled', async t => {
  const { dir, clock, looks } = start(t, 30);
  const timers = clock.timers;
  writeFileSync(join(dir, 'a'), '1');
  while (clock.timers === timers) await turns();
  clock.advance(29);
  assert.deepEqual(looks, []);
  clock.advance(1);
  assert.deepEqual(looks, [['a']]);
});

test('without a word from the kernel everything is looked at now and then, the rarer the longer it takes', async t => {
  const { clock, looks, finish } = start(t, 0);
  clock.advance(5_000);
  assert.deepEqual(looks, ['all']);
  // This look takes a second: the next ones wait until that is a small share of the time.
  clock.advance(1_000);
  finish();
  await turns();
  clock.advance(40_000);
  assert.equal(looks.length, 1);
  clock.advance(20_000);
  assert.equal(looks.length, 2);
});
