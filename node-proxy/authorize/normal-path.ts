/**
 * The one spelling of a request's path that rules are compared with. Servers disagree about what a path means,
 * and whoever gets past a rule does so by a spelling that the rule and the server read differently. A spelling
 * is therefore either the same for all servers that we know, or refused:
 *
 *   made equal                  unreserved characters lose their %-encoding, other escapes become upper case
 *                               (RFC 3986 §6.2.2), characters that must be encoded are
 *   refused, servers disagree   `.` and `..` segments, also encoded or before `;` (Express and WSGI take them as they
 *                               are, nginx, Go and Tomcat resolve them, in different order with `//` and `;`);
 *                               `//` at the start (the URL class of Node.js takes what follows for a host);
 *                               `\` and `%5C`; `%2F`; `#`; `%00`–`%1F`, `%7F`; an escaped escape (`%2561`);
 *                               escapes that are cut off or no UTF-8 (overlong forms of `/`); letters
 *                               that Unicode's compatibility forms turn into `/`, `\` or dot segments
 *   left for the rules          case, `//` within, `;parameters`, a `/` at the end, escapes of other punctuation: what
 *                               differs there is decided for each rule against the caller (path-patterns.ts)
 *
 * Clients resolve dots and slashes themselves, so nobody honest notices. The request goes on as it was sent.
 */

const PLAIN = 0;
const SLASH = 1;
const DOT = 2;
const QUERY = 3;
/** Needs the slow way: an escape, `;`, or what should have been escaped. */
const SPECIAL = 4;
const REFUSED = 5;

const UNRESERVED = /[A-Za-z0-9\-._~]/;
const KIND = kinds();
const HEX = '0123456789ABCDEF';

/**
 * @param target as in the request line or `:path`, with or without query.
 * @returns without query; `*` for `*`; undefined for what must be refused with 400.
 */
export function normalPath(target: string): string | undefined {
  if (target.charCodeAt(0) !== 0x2f) return target === '*' ? target : undefined;
  let end = target.length;
  let special = false;
  let before = SLASH;
  for (let i = 1; i < end; i++) {
    const code = target.charCodeAt(i);
    const kind = code < 0x80 ? (KIND[code] as number) : REFUSED;
    if (kind !== PLAIN) {
      if (kind === REFUSED || (kind === SLASH && i === 1)) return undefined;
      if (kind === DOT && before === SLASH && isDotSegment(target, i)) return undefined;
      if (kind === QUERY) end = i;
      else if (kind === SPECIAL) special = true;
    }
    before = kind;
  }
  const path = end === target.length ? target : target.slice(0, end);
  return special ? respelled(path) : path;
}

/** Dots that are followed by an escape are looked at again when it is decoded. */
function isDotSegment(target: string, start: number): boolean {
  let i = start + 1;
  if (target.charCodeAt(i) === 0x2e) i += 1;
  const next = target.charCodeAt(i);
  return i === target.length || next === 0x2f || next === 0x3f || next === 0x3b;
}

function respelled(path: string): string | undefined {
  let text = '';
  let from = 0;
  let unicode = false;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0x25) {
      const byte = byteAt(path, i + 1);
      if (byte < 0x20 || byte === 0x7f || byte === 0x2f || byte === 0x5c) return undefined;
      if (byte >= 0x80) unicode = true;
      text += path.slice(from, i) + escapeOf(byte);
      i += 2;
    } else if (KIND[code] === SPECIAL && code !== 0x3b) text += path.slice(from, i) + escapeOf(code);
    else continue;
    from = i + 1;
  }
  text += path.slice(from);
  // Looked for afterwards: the dots, and the digits of an escaped escape, may have been escaped themselves.
  if (/\/\.{1,2}(?:$|[/;]|%3B|%3F|%23)|%25[\dA-Fa-f]{2}/.test(text)) return undefined;
  return unicode && !isHarmlessUnicode(text) ? undefined : text;
}

/** @returns the byte that two hexadecimal digits name; -1 when there are none. */
function byteAt(text: string, at: number): number {
  const high = digit(text.charCodeAt(at));
  const low = digit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const upper = code & 0xdf;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : -1;
}

function escapeOf(byte: number): string {
  const char = String.fromCharCode(byte);
  return UNRESERVED.test(char) ? char : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
}

function isHarmlessUnicode(path: string): boolean {
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch {
    // No UTF-8, or not its shortest form.
    return false;
  }
  const compatible = text.normalize('NFKC');
  return (
    compatible.split('/').length === path.split('/').length &&
    !compatible.includes('\\') &&
    !/\/\.{1,2}(?:$|[/;?#])/.test(compatible)
  );
}

function kinds(): Uint8Array {
  const table = new Uint8Array(0x80).fill(REFUSED);
  const set = (chars: string, kind: number) => {
    for (const char of chars) table[char.charCodeAt(0)] = kind;
  };
  for (let code = 0x21; code < 0x7f; code++) {
    if (UNRESERVED.test(String.fromCharCode(code))) table[code] = PLAIN;
  }
  set("!$&'()*+,=:@", PLAIN);
  set('/', SLASH);
  set('.', DOT);
  set('?', QUERY);
  set('%;"<>[]^`{|}', SPECIAL);
  return table;
}
