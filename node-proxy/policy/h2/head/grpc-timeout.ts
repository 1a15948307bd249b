/** `grpc-timeout` (gRPC over HTTP/2: `Timeout`): how long the client waits for the call. */

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** setTimeout's. A call that may take longer may take as long as it likes. */
const MOST_MS = 0x7fffffff;

/** @returns milliseconds, 1 or more; 0 when there is none, or it can't be read. */
export function grpcTimeoutMs(value: string | undefined): number {
  if (value === undefined) return 0;
  const unit = UNITS[value.charAt(value.length - 1)];
  const digits = value.length - 1;
  if (unit === undefined || digits < 1 || digits > 8) return 0;
  let count = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    count = count * 10 + digit;
  }
  const ms = Math.max(Math.ceil(count * unit), 1);
  return ms > MOST_MS ? 0 : ms;
}

/**
 * Rounded up by at most 1/32. Deadlines of equal length share a timer, and clients that pass on what is left of their
 * own send any length there is.
 */
export function coarseMs(ms: number): number {
  const step = 2 ** Math.max(Math.floor(Math.log2(ms)) - 5, 0);
  return Math.ceil(ms / step) * step;
}
