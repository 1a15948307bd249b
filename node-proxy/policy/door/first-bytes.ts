/** Which protocol a client speaks, by its first bytes. Pure. */

export type Protocol = 'http1' | 'http2' | 'opaque' | 'more';

/** RFC 9113 §3.4; `PRI` is no method of anybody else. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** Longer lines are refused anyway. */
const LINE_BYTES = 8_192;

/** @param declared the port is known to be HTTP: what is not HTTP/2 is for the HTTP/1.1 parser to judge. */
export function protocolOf(bytes: Buffer, declared: boolean): Protocol {
  const start = bytes.toString('latin1', 0, Math.min(bytes.length, PREFACE.length));
  if (PREFACE.startsWith(start)) return start.length === PREFACE.length ? 'http2' : 'more';
  if (declared) return 'http1';
  const line = bytes.toString('latin1', 0, Math.min(bytes.length, LINE_BYTES));
  const end = line.indexOf('\n');
  if (end >= 0)
    return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} \S+ HTTP\/1\.\d\r?$/.test(line.slice(0, end))
      ? 'http1'
      : 'opaque';
  // Not yet a line: may it become one of HTTP?
  if (line.length >= LINE_BYTES) return 'opaque';
  return /^[A-Z]{1,32}( ([!-~]+( (H(T(T(P(\/(1(\.([01]\r?)?)?)?)?)?)?)?)?)?)?)?$/.test(line)
    ? 'more'
    : 'opaque';
}
