/** Requests with the ids of their streams in place. Pure; also for the thread that sends by the clock. */

/** Clients' streams have odd ids (RFC 9113 §5.1.1). */
export function streamIdOf(n: number): number {
  return 2 * n + 1;
}

/** The inverse of {@link streamIdOf}. */
export function numberOf(streamId: number): number {
  return (streamId - 1) / 2;
}

/** Writes the id of the connection's nth request into a request that starts at `at`. */
export function number(bytes: Uint8Array, at: number, streamIdAt: readonly number[], n: number): void {
  const id = streamIdOf(n);
  for (const offset of streamIdAt) {
    bytes[at + offset] = id >>> 24;
    bytes[at + offset + 1] = id >>> 16;
    bytes[at + offset + 2] = id >>> 8;
    bytes[at + offset + 3] = id;
  }
}

/** The connection's requests `first` to `first + count - 1`, one behind the other. */
export function numbered(
  { request, streamIdAt }: { request: Buffer; streamIdAt: readonly number[] },
  first: number,
  count: number,
): Buffer {
  if (count === 1 && streamIdAt.length === 0) return request;
  const bytes = Buffer.allocUnsafe(count * request.length);
  for (let i = 0; i < count; i++) {
    bytes.set(request, i * request.length);
    number(bytes, i * request.length, streamIdAt, first + i);
  }
  return bytes;
}
