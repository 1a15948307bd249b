/** gRPC's status codes, by name and number (grpc/doc/statuscodes.md). */

const NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

export const UNAVAILABLE = NAMES.indexOf('UNAVAILABLE');

/** The number of a failure: 1 to 16; undefined for OK and for what is no status. */
export function grpcCodeOf(value: string | number): number | undefined {
  const code = typeof value === 'number' ? value : NAMES.indexOf(value.toUpperCase().replaceAll('-', '_'));
  return Number.isInteger(code) && code > 0 && code < NAMES.length ? code : undefined;
}
