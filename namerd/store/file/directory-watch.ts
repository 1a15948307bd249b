/**
 * Tells when a directory may have changed: at once where the kernel says so, and by a slow poll where it does
 * not (network file systems, a watcher that died, a directory that was replaced).
 */

import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from '#base/clock.ts';

const POLL_MS = 5_000;

/** @param look called once per burst of changes; at most one call is under way. @returns how to stop */
export function watchDirectory(dir: string, clock: Clock, look: () => Promise<void>): () => void {
  let watcher: FSWatcher | undefined;
  let looking = false;
  let again = false;
  let stopped = false;

  const run = () => {
    again = looking;
    if (looking || stopped) return;
    looking = true;
    void look().finally(() => {
      looking = false;
      if (again) run();
    });
  };
  const listen = () => {
    try {
      watcher ??= watch(dir, { persistent: false }, run).on('error', drop);
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
    run();
  });

  listen();
  return () => {
    stopped = true;
    poll.cancel();
    drop();
  };
}
