/**
 * Tells when files of a directory may have changed: at once where the kernel says so, and by a slow poll where
 * it does not (network file systems, a watcher that died, a directory that was replaced).
 */

import { type FSWatcher, watch } from 'node:fs';
import type { Clock, Timer } from '#base/clock.ts';

/** The names that may have changed; undefined when it can be any. */
export type Look = (names: ReadonlySet<string> | undefined) => Promise<void>;

const POLL_MS = 5_000;
/** Looking at everything takes at most this share of the time, however large the directory. */
const POLL_SHARE = 0.02;
/** More names at once are not told apart. */
const MAX_NAMES = 1_000;

/**
 * @param look must not reject; at most one call is under way, and what changes meanwhile is looked at next.
 * @param settleMs how long to wait after a change, so that a file is not read while it is being written
 * @returns how to stop
 */
export function watchDirectory(dir: string, clock: Clock, look: Look, settleMs = 0): () => void {
  let watcher: FSWatcher | undefined;
  let settling: Timer | undefined;
  let looking = false;
  let stopped = false;
  /** What to look at next. */
  let wanted: 'nothing' | 'all' | Set<string> = 'nothing';
  let nextPollAt = 0;

  const run = () => {
    settling = undefined;
    if (looking || stopped || wanted === 'nothing') return;
    const names = wanted === 'all' ? undefined : wanted;
    wanted = 'nothing';
    looking = true;
    const startedAt = clock.monotonic();
    void look(names).finally(() => {
      looking = false;
      const now = clock.monotonic();
      if (names === undefined) nextPollAt = now + (now - startedAt) / POLL_SHARE;
      run();
    });
  };
  const changed = (name: string | null) => {
    if (wanted === 'nothing') wanted = new Set();
    if (wanted !== 'all') {
      if (name === null || wanted.size >= MAX_NAMES) wanted = 'all';
      else wanted.add(name);
    }
    if (settleMs === 0) run();
    else settling ??= clock.after(settleMs, run);
  };
  const listen = () => {
    try {
      watcher ??= watch(dir, { persistent: false }, (_event, name) => changed(name)).on('error', drop);
    } catch {
      // Not there just now, or no inotify watches left: the poll goes on and tries again.
    }
  };
  const drop = () => {
    watcher?.close();
    watcher = undefined;
  };
  const poll = clock.every(POLL_MS, () => {
    listen();
    if (clock.monotonic() < nextPollAt) return;
    wanted = 'all';
    run();
  });

  listen();
  return () => {
    stopped = true;
    poll.cancel();
    settling?.cancel();
    drop();
  };
}
