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

/** Characters for which a path has further readings: `%`, `;` and capitals. */
const UNFOLDED = new Uint8Array(0x5b).fill(1, 0x41);
UNFOLDED[0x25] = UNFOLDED[0x3b] = 1;

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

  fits(path: PathReadings): boolean {
    if (!this.#wide) return (path.mayBeCut ? this.#prefixes : this.#patterns).fits(path.text);
    if (this.#patterns.fits(path.folded)) return true;
    if (path.mayBeCut) for (const cut of path.cuts) if (this.#patterns.fits(cut)) return true;
    return false;
  }
}

/** A path as normalPath gives it, with what servers may make of it. */
export interface PathReadings {
  text: string;
  folded: string;
  mayBeCut: boolean;
  /** Folded, with something cut off. */
  cuts: readonly string[];
}

const NOTHING_CUT: readonly string[] = [];
const readings: PathReadings = { text: '', folded: '', mayBeCut: false, cuts: NOTHING_CUT };

/** @returns the same object each time, good until the next call: one decision is made at a time. */
export function readPath(path: string): PathReadings {
  let before = 0;
  let plain = true;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code <= 0x5a && (code === 0x2f ? before === 0x2f : UNFOLDED[code] === 1)) plain = false;
    before = code;
  }
  readings.text = path;
  readings.folded = plain ? path : folded(path);
  readings.mayBeCut = !plain && mayBeCut(path);
  readings.cuts = readings.mayBeCut ? cutsOf(path).map(folded) : NOTHING_CUT;
  return readings;
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
