/**
 * The wait before another attempt: decorrelated jitter, Linkerd's `jittered` backoff of retries. Each wait is
 * drawn between the least and three times the one before, so that clients that failed together come back apart.
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter"; Finagle's Backoff.decorrelatedJittered.
 */

/**
 * @param previousMs what the wait before the attempt before was; 0 for the first.
 * @param random 0 ≤ random() < 1
 * @returns milliseconds between minMs and maxMs; both equal: constant; both 0: at once.
 */
export function backoffMs(
  { minMs, maxMs }: { minMs: number; maxMs: number },
  previousMs: number,
  random: () => number,
): number {
  if (maxMs <= minMs) return minMs;
  const upper = Math.min(Math.max(previousMs, minMs, 1) * 3, maxMs);
  return minMs + Math.max(upper - minMs, 0) * random();
}
