/** Which requests may be repeated without asking (RFC 9110 §9.2.2). */

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return METHODS.has(method);
}
