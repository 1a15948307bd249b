/**
 * Tests of a whole text, as matches of routes ask for them. Patterns are RE2 (linear time), but most patterns
 * that people write are a text, a few texts, or a text and `.*`: those become string comparisons, which take
 * nanoseconds where the engine takes 15 to 30 ns per character.
 *
 * Invariant: the shortcut and the engine give the same answer for every text.
 */

import { RE2JS } from 're2js';

export interface TextTest {
  fits(text: string): boolean;
}

/** @throws whatever RE2JS throws for a text that is no pattern; namerd has checked it. */
export function compilePattern(pattern: string): TextTest {
  return shortcutOf(pattern) ?? new Pattern(pattern);
}

/** The comparison that answers for a pattern without the engine, if there is one. */
export function shortcutOf(pattern: string): TextTest | undefined {
  // What follows compares UTF-16 units; the engine sees code points, and halves of them differently.
  if (SURROGATE.test(pattern)) return undefined;
  let core = pattern;
  // The whole text has to fit anyway.
  if (core.startsWith('^')) core = core.slice(1);
  if (core.endsWith('$') && !endsEscaped(core)) core = core.slice(0, -1);
  if (core.endsWith('.*') && !endsEscaped(core.slice(0, -1))) {
    const start = literalsOf(core.slice(0, -2));
    return start?.length === 1 ? new StartsWith(start[0]!) : undefined;
  }
  const group = /^\((?:\?:)?(.*)\)$/s.exec(core);
  const texts = literalsOf(group === null || endsEscaped(core) ? core : group[1]!);
  if (texts === undefined) return undefined;
  return texts.length === 1 ? new Equal(texts[0]!) : new OneOf(texts);
}

class Pattern implements TextTest {
  readonly #pattern: RE2JS;
  readonly #start: string;

  constructor(pattern: string) {
    this.#pattern = RE2JS.compile(pattern);
    this.#start = startOf(pattern);
  }

  fits(text: string): boolean {
    return text.startsWith(this.#start) && this.#pattern.testExact(text);
  }
}

/** What every text that fits starts with, as far as it is easily seen: most patterns of a table differ there. */
function startOf(pattern: string): string {
  // Of an alternative at the top, only one branch would start so.
  if (SURROGATE.test(pattern) || pattern.includes('|')) return '';
  let end = pattern.startsWith('^') ? 1 : 0;
  const start = end;
  while (end < pattern.length && !SPECIAL.includes(pattern[end]!)) end += 1;
  // What is repeated may be missing. A `?` can come late: flags and empty quotes before it count for nothing
  // (`a(?i)?`, `a+(?i)?`). So the last character counts only before another thing that would take the `?`.
  if (end > start && !OF_ITS_OWN.test(pattern.slice(end))) end -= 1;
  return pattern.slice(start, end);
}

class Equal implements TextTest {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  fits(text: string): boolean {
    return text === this.#text;
  }
}

class OneOf implements TextTest {
  readonly #texts: ReadonlySet<string>;

  constructor(texts: readonly string[]) {
    this.#texts = new Set(texts);
  }

  fits(text: string): boolean {
    return this.#texts.has(text);
  }
}

/** A text and `.*`; a dot stands for anything but a line feed. */
class StartsWith implements TextTest {
  readonly #start: string;

  constructor(start: string) {
    this.#start = start;
  }

  fits(text: string): boolean {
    return text.startsWith(this.#start) && text.indexOf('\n', this.#start.length) < 0;
  }
}

/** The texts of `a|b|c`, escaped punctuation allowed; undefined where anything else has a meaning. */
function literalsOf(pattern: string): string[] | undefined {
  const texts = [''];
  for (let i = 0; i < pattern.length; i++) {
    let char = pattern[i]!;
    if (char === '|') {
      texts.push('');
      continue;
    }
    if (char === '\\') {
      char = pattern[++i] ?? '';
      if (!ESCAPABLE.test(char)) return undefined;
    } else if (SPECIAL.includes(char)) return undefined;
    texts[texts.length - 1] += char;
  }
  return texts;
}

/** True if the last character has an odd number of backslashes before it. */
function endsEscaped(pattern: string): boolean {
  let slashes = 0;
  for (let i = pattern.length - 2; i >= 0 && pattern[i] === '\\'; i--) slashes += 1;
  return slashes % 2 === 1;
}

const SPECIAL = '\\.+*?()[]{}^$';
const OF_ITS_OWN = /^(?:$|[.[^$]|\((?!\?))/;
const ESCAPABLE = /^[!-/:-@[-^`{-~]$/;
const SURROGATE = /[\ud800-\udfff]/;
