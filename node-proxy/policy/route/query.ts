/**
 * Parameters of a request's query, read as forms send them (WHATWG URL, application/x-www-form-urlencoded):
 * pairs between `&`, `+` is a space, `%hh` a byte of UTF-8, a broken `%` stands for itself. Of several values of
 * one name the first counts (Gateway API, HTTPQueryParamMatch). Names are compared exactly, once decoded, so
 * that spelling a name or value differently leads nowhere else.
 */

/** Where the query starts in a request's path (after the `?`), or -1. */
export function queryStart(path: string): number {
  const mark = path.indexOf('?');
  return mark < 0 ? -1 : mark + 1;
}

/**
 * The first value of a parameter.
 * @param start see {@link queryStart}
 * @returns '' for a name without `=`; undefined if it is not there
 */
export function queryValue(path: string, start: number, name: string): string | undefined {
  if (start < 0) return undefined;
  for (let at = start; at <= path.length; ) {
    let end = path.indexOf('&', at);
    if (end < 0) end = path.length;
    let equals = path.indexOf('=', at);
    if (equals < 0 || equals > end) equals = end;
    if (end > at && isName(path, at, equals, name)) {
      return equals === end ? '' : decoded(path.slice(equals + 1, end));
    }
    at = end + 1;
  }
  return undefined;
}

/** All parameters by name, first values: for tables that ask for many names. */
export function queryValues(path: string, start: number): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = start; at >= 0 && at <= path.length; ) {
    let end = path.indexOf('&', at);
    if (end < 0) end = path.length;
    let equals = path.indexOf('=', at);
    if (equals < 0 || equals > end) equals = end;
    if (end > at) {
      const name = decoded(path.slice(at, equals));
      if (!values.has(name)) values.set(name, equals === end ? '' : decoded(path.slice(equals + 1, end)));
    }
    at = end + 1;
  }
  return values;
}

function isName(path: string, at: number, end: number, name: string): boolean {
  if (isPlain(path, at, end)) return end - at === name.length && path.startsWith(name, at);
  return decoded(path.slice(at, end)) === name;
}

/** True for what is written as it is meant. */
function isPlain(text: string, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === PERCENT || code === PLUS || code >= 0x80) return false;
  }
  return true;
}

/** @param text bytes, as all texts of a request are: one character each. */
function decoded(text: string): string {
  if (isPlain(text, 0, text.length)) return text;
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const high = code === PERCENT ? hexValue(text.charCodeAt(i + 1)) : -1;
    const low = high < 0 ? -1 : hexValue(text.charCodeAt(i + 2));
    if (low < 0) bytes[length++] = code === PLUS ? SPACE : code;
    else {
      bytes[length++] = high * 16 + low;
      i += 2;
    }
  }
  return bytes.toString('utf8', 0, length);
}

/** @param code NaN past the end. */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;
