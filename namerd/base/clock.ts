/** Time as a dependency, so that tests own it. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic clock, milliseconds with fractions; only differences mean something. */
  monotonic(): number;
  /** Runs `act` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, act: () => void): Timer;
  /** Runs `act` every `periodMs`; the timer does not keep the process alive. */
  every(periodMs: number, act: () => void): Timer;
}

/** setTimeout fires at once beyond this (2^31 - 1 ms, about 24.8 days). */
const MAX_DELAY_MS = 0x7fffffff;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, Math.min(delayMs, MAX_DELAY_MS));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, act) {
    const timer = setInterval(act, Math.min(periodMs, MAX_DELAY_MS));
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
