/** The one spelling of a request's host that rules are compared with. */

/** Letters in lower case, digits, `-`, `.`, `_`: names as nearly all are. */
const PLAIN = /^[a-z0-9._-]+$/;

/**
 * Lower case, without port and without the dot that makes a name absolute (nginx ignores it).
 * @param authority the Host field or `:authority`, as sent.
 * @returns '' when there is none; undefined for what must be refused with 400: user information, escapes, a port
 *   that is no number, and what no name or address has.
 */
export function normalHost(authority: string): string | undefined {
  if (isPlain(authority)) return authority;
  const [, host, port] = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d{0,5}))?$/.exec(authority) ?? [];
  if (host === undefined || Number(port ?? 0) > 65_535) return undefined;
  const lower = host.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  return PLAIN.test(name) || lower.startsWith('[') || (authority === '' && name === '')
    ? notDot(name)
    : undefined;
}

function notDot(name: string): string | undefined {
  return name.endsWith('.') ? undefined : name;
}

function isPlain(authority: string): boolean {
  let code = 0;
  for (let i = 0; i < authority.length; i++) {
    code = authority.charCodeAt(i);
    const letter = code >= 0x61 && code <= 0x7a;
    if (!letter && !(code >= 0x30 && code <= 0x39) && code !== 0x2d && code !== 0x2e) return false;
  }
  return authority !== '' && code !== 0x2e;
}
