/** How gRPC clients are told: a status of theirs, in headers that are trailers at once. */

/**
 * True for requests that expect gRPC's answers: `application/grpc`, alone, with a message format or parameters.
 * gRPC-Web is ordinary HTTP to those who can't read its bodies, and its clients understand HTTP statuses.
 */
export function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType.length < GRPC.length) return false;
  if (!contentType.startsWith(GRPC) && contentType.slice(0, GRPC.length).toLowerCase() !== GRPC) return false;
  const next = contentType.charCodeAt(GRPC.length);
  // The end, a format (`+proto`), or parameters.
  return Number.isNaN(next) || next === 0x2b || next === 0x3b || next === 0x20;
}

/**
 * What a gRPC client makes of an HTTP status (gRPC, http-grpc-status-mapping). Saying it ourselves saves the client
 * from guessing, and makes no difference to those that would have.
 */
export function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
      return 13; // INTERNAL
    case 401:
      return 16; // UNAUTHENTICATED
    case 403:
      return 7; // PERMISSION_DENIED
    case 404:
      return 12; // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return 14; // UNAVAILABLE
    default:
      return 2; // UNKNOWN
  }
}

/** A `grpc-message`: UTF-8, where all but printable ASCII is percent-encoded (gRPC over HTTP/2, Status-Message). */
export function grpcMessage(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1').replace(ENCODED, percent);
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

const GRPC = 'application/grpc';
const ENCODED = /[^ -$&-~]/g;
