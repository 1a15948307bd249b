/**
 * Tells a thread that hangs, in an endless loop for example, from one that is alive: every thread counts up a number
 * that the main thread looks at. It counts looks, not time: when the whole process stood still, nobody hangs.
 */

import type { Clock, Timer } from '#base/clock.ts';

/** As long as this without a beat is no pause of the garbage collector any more. */
export const HUNG_AFTER_MS = 10_000;

const BEAT_MS = 500;
const LOOKS = 10;

/** Shared between the thread and its watcher. */
export type Pulse = Int32Array<SharedArrayBuffer>;

export function newPulse(): Pulse {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** In the thread: beats as long as its event loop turns. */
export function beat(pulse: Pulse, clock: Clock): Timer {
  return clock.every(BEAT_MS, () => Atomics.add(pulse, 0, 1));
}

/** In the main thread. @param onHung once, when there was no beat for `hungAfterMs`. */
export function watchPulse(pulse: Pulse, clock: Clock, hungAfterMs: number, onHung: () => void): Timer {
  let last = Atomics.load(pulse, 0);
  let missed = 0;
  const timer = clock.every(hungAfterMs / LOOKS, () => {
    const now = Atomics.load(pulse, 0);
    missed = now === last ? missed + 1 : 0;
    last = now;
    if (missed < LOOKS) return;
    timer.cancel();
    onHung();
  });
  return timer;
}
