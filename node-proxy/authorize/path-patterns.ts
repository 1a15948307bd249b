/**
 * Paths of rules. A narrow test, which leads to an access, compares the spelling as it is; a wide one, which leads
 * to a refusal, compares what any server might make of it:
 *
 *   case                     Express and IIS ignore it
 *   `//` within              nginx, Apache, Tomcat and Go merge it
 *   `/` at the end           Express and older Spring ignore it
 *   `%40`, `%3A`, `%2B` …    nearly all servers decode them
 *   `;x`, `%3F`, `%23`       Tomcat, Jetty and Spring cut off parameters, rewriting rules what follows a decoded `?`
 *   compatible letters       IIS and frameworks that normalise Unicode
 *
 * Where something may be cut off, a narrow test fits by prefix or not at all: `/admin;.css` is no `*.css`.
 * Not covered: `/admin.json` where a framework ignores extensions; a rule against that says `/admin*`.
 */

import { type Pattern, readPattern, TextPatterns } from './patterns.ts';

export type Breadth = 'wide' | 'narrow';

export class PathPatterns {
  readonly #patterns: TextPatterns;
  /** For paths of which something may be cut off, where the tests are narrow. */
  readonly #prefixes: TextPatterns;
  readonly #wide: boolean;

  constructor(patterns: readonly string[], breadth: Breadth) {
    const read = patterns.map(pattern => readPattern(spelled(pattern)));
    this.#wide = breadth === 'wide';
    this.#patterns = new TextPatterns(this.#wide ? read.flatMap(withAndWithoutSlash) : read);
    this.#prefixes = new TextPatterns(read.filter(staysWhatIsCut));
  }

  /** @param path as normalPath gives it. */
  fits(path: string): boolean {
    if (!this.#wide) return (mayBeCut(path) ? this.#prefixes : this.#patterns).fits(path);
    if (path !== foldedPath) fold(path);
    if (this.#patterns.fits(foldedWhole)) return true;
    for (const rest of foldedRests) if (this.#patterns.fits(rest)) return true;
    return false;
  }
}

/** The last path and its readings: the rules of one decision all ask about the same. */
let foldedPath = '';
let foldedWhole = '';
let foldedRests: readonly string[] = [];
const NOTHING_CUT: readonly string[] = [];

function fold(path: string): void {
  foldedPath = path;
  foldedWhole = isFolded(path) ? path : folded(path);
  foldedRests = mayBeCut(path) ? cutsOf(path).map(folded) : NOTHING_CUT;
}

/** Lower case, with nothing to decode or merge. */
function isFolded(path: string): boolean {
  let before = 0;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0x25 || (code >= 0x41 && code <= 0x5a) || (code === 0x2f && before === 0x2f)) return false;
    before = code;
  }
  return true;
}

function mayBeCut(path: string): boolean {
  return path.includes(';') || (path.includes('%') && /%3B|%3F|%23/.test(path));
}

/** Parameters cut off, the end cut off, and both. */
function cutsOf(path: string): string[] {
  const bare = path.replace(/(?:;|%3B)[^/]*/g, '');
  return [bare, ...[path, bare].map(text => text.replace(/(?:%3F|%23).*$/, ''))];
}

/** Whatever is cut off the path, it begins as it did. */
function staysWhatIsCut(pattern: Pattern): boolean {
  return pattern.kind === 'any' || (pattern.kind === 'prefix' && !mayBeCut(pattern.text));
}

function folded(text: string): string {
  return decoded(text)
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replace(/\/{2,}/g, '/');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Only of patterns that end, or begin, within a character.
    return text;
  }
}

function withAndWithoutSlash(pattern: Pattern): Pattern[] {
  if (pattern.kind === 'any') return [pattern];
  const text = folded(pattern.text);
  const bare = text.endsWith('/') ? text.slice(0, -1) : text;
  // A server that ignores the last slash serves `/admin/` for `/admin`, and by `/admin/*` both are meant.
  if (pattern.kind === 'prefix') {
    return [{ kind: 'prefix', text }, ...(bare === text || bare === '' ? [] : [exact(bare)])];
  }
  const both = bare === '' ? [text] : [bare, `${bare}/`];
  return both.map(text => ({ kind: pattern.kind, text }));
}

function exact(text: string): Pattern {
  return { kind: 'exact', text };
}

/** What people write in rules, in the spelling of normalPath. Never refuses: what no path can equal matches none. */
function spelled(pattern: string): string {
  return pattern
    .toWellFormed()
    .replace(/%([\dA-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu, (char, hex: string | undefined) => {
      if (hex === undefined) return encodeURIComponent(char);
      const decoded = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9\-._~]/.test(decoded) ? decoded : char.toUpperCase();
    });
}
