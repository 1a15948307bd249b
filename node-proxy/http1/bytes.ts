/**
 * Which bytes may stand where (RFC 9110 §5.6.2, RFC 9112 §3.2, RFC 3986 §3). Tables for the rare characters;
 * the loops test the usual ones by comparison first, which V8 does faster than a look-up.
 */

export const HT = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const QUESTION = 0x3f;
export const BACKSLASH = 0x5c;

/** 1 for characters of a token. */
export const TOKEN = tableOf(0, "!#$%&'*+-.^_`|~", true);

/**
 * 1 for characters of a host name or IPv4 address. RFC 3986 allows percent-encoding and the comma too; both
 * make one host look like another (or like two), so they are refused.
 */
export const HOST = tableOf(0, "-._~!$&'()*+;=", true);

/** The value of a hexadecimal digit, 255 for all else. */
export const HEX = tableOf(255, '', false);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

function tableOf(rest: number, marks: string, alphanumeric: boolean): Uint8Array {
  const table = new Uint8Array(256).fill(rest);
  for (const mark of marks) table[mark.charCodeAt(0)] = 1;
  if (alphanumeric)
    for (let byte = 0; byte < 128; byte++) if (/[0-9A-Za-z]/.test(String.fromCharCode(byte))) table[byte] = 1;
  return table;
}

/** Printable ASCII, and with it every character that a request target may have. */
export function isVisible(byte: number): boolean {
  return byte > SP && byte < 0x7f;
}

/** @param lower in lower case. ASCII letters are compared without regard to case. */
export function sameBytes(bytes: Uint8Array, from: number, to: number, lower: string): boolean {
  if (to - from !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[from + i]!;
    const wanted = lower.charCodeAt(i);
    if (byte !== wanted && !(byte > 0x40 && byte < 0x5b && (byte | 0x20) === wanted)) return false;
  }
  return true;
}

/** Like {@link sameBytes} in a text, from `at` on; the lengths have been compared. */
export function sameText(text: string, at: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const char = text.charCodeAt(at + i);
    const wanted = lower.charCodeAt(i);
    if (char !== wanted && !(char > 0x40 && char < 0x5b && (char | 0x20) === wanted)) return false;
  }
  return true;
}

/** Every byte one character: what is read is what can be written again. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  return (bytes as unknown as { latin1Slice(from: number, to: number): string }).latin1Slice(from, to);
}
