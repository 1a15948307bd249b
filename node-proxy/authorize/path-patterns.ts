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
 * Where something may be cut off, a narrow test must fit with and without it: `/admin;.css` is no `*.css`.
 * Not covered: `/admin.json` where a framework ignores extensions; a rule against that says `/admin*`.
 */

import { anyPattern, type Pattern, readPattern, type TextTest } from './patterns.ts';

export type Breadth = 'wide' | 'narrow';

/** @returns a test of paths as normalPath gives them; undefined when the rule doesn't ask. */
export function pathTest(patterns: readonly string[] | undefined, breadth: Breadth): TextTest | undefined {
  if (patterns === undefined) return undefined;
  const read = patterns.map(pattern => readPattern(spelled(pattern)));
  return breadth === 'wide' ? wideTest(read) : narrowTest(read);
}

function narrowTest(patterns: readonly Pattern[]): TextTest {
  const fits = anyPattern(patterns);
  return path => {
    if (!fits(path)) return false;
    const rest = withoutCut(path);
    return rest === path || fits(rest);
  };
}

function wideTest(patterns: readonly Pattern[]): TextTest {
  const fits = anyPattern(patterns.flatMap(withAndWithoutSlash));
  return path => {
    if (path !== foldedPath) fold(path);
    return fits(foldedWhole) || (foldedRest !== foldedWhole && fits(foldedRest));
  };
}

/** The last path and its readings: the rules of one decision all ask about the same. */
let foldedPath = '';
let foldedWhole = '';
let foldedRest = '';

function fold(path: string): void {
  foldedPath = path;
  if (isFolded(path)) {
    foldedWhole = foldedRest = path;
    return;
  }
  const rest = withoutCut(path);
  foldedWhole = folded(path);
  foldedRest = rest === path ? foldedWhole : folded(rest);
}

/** Lower case, with nothing to decode, merge or cut off. */
function isFolded(path: string): boolean {
  let before = 0;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0x25 || code === 0x3b || (code >= 0x41 && code <= 0x5a)) return false;
    if (code === 0x2f && before === 0x2f) return false;
    before = code;
  }
  return true;
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

function withoutCut(path: string): string {
  if (!path.includes(';') && !path.includes('%')) return path;
  return path.replace(/(?:%3F|%23).*$/, '').replace(/(?:;|%3B)[^/]*/g, '');
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
