/**
 * Patterns over paths with captures, as in `/foo/{A}-{B}/*`: used by the rewriting namer and by configuration
 * that is scoped to names. A pattern matches every path that it is a prefix of.
 *
 * Repaired against Linkerd: a segment must match whole (`{A}:http` is no match for `bas:http2`), a pattern
 * that is longer than the path is no match (it threw on `*`), a capture is never empty (an empty element can't
 * be written), names may hold `-` and nothing unusual. Matching takes linear time whatever the pattern.
 */

import { parsePath } from './parse.ts';
import type { Path } from './path.ts';
import { NameSyntaxError } from './syntax-error.ts';

/** The literals around the captures: `{A}-{B}` is literals `''`, `-`, `''` and variables A, B. */
interface Segment {
  literals: readonly string[];
  variables: readonly string[];
}

/** Longer patterns are refused, in UTF-16 units. */
const MAX_PATTERN = 4_096;
const VARIABLE = /^[A-Za-z0-9._:-]+$/;
const SPLIT = /\{([^{}]*)\}/;

export class PathMatcher {
  readonly expr: string;
  /** The names of all captures, in the order in which they stand. */
  readonly variables: readonly string[];
  /** Undefined stands for `*`. */
  readonly #segments: readonly (Segment | undefined)[];

  private constructor(expr: string, segments: readonly (Segment | undefined)[]) {
    this.expr = expr;
    this.#segments = segments;
    this.variables = segments.flatMap(segment => segment?.variables ?? []);
  }

  /** @throws NameSyntaxError when the pattern is not one. */
  static parse(expr: string): PathMatcher {
    if (!expr.startsWith('/'))
      throw new NameSyntaxError(expr, 0, "'/'", expr === '' ? 'end of input' : `'${expr[0]}'`);
    if (expr.length > MAX_PATTERN)
      throw new NameSyntaxError(expr, MAX_PATTERN, `a pattern of at most ${MAX_PATTERN} characters`, 'more');
    const segments: (Segment | undefined)[] = [];
    const seen = new Set<string>();
    let offset = 1;
    for (const text of expr === '/' ? [] : expr.slice(1).split('/')) {
      segments.push(text === '*' ? undefined : readSegment(expr, text, offset, seen));
      offset += text.length + 1;
    }
    return new PathMatcher(expr, segments);
  }

  /** The captured texts by name, as they would be written in a path; undefined when the path does not match. */
  extract(path: Path): ReadonlyMap<string, string> | undefined {
    if (path.size < this.#segments.length) return undefined;
    const shown = path.take(this.#segments.length).show.slice(1).split('/');
    const vars = new Map<string, string>();
    for (const [i, segment] of this.#segments.entries()) {
      if (segment !== undefined && !capture(segment, shown[i] ?? '', vars)) return undefined;
    }
    return vars;
  }

  /** The template with each `{name}` replaced by what was captured; undefined when the path does not match. */
  substitute(path: Path, template: string): string | undefined {
    const vars = this.extract(path);
    return vars && fill(template, vars);
  }

  /** As {@link substitute}, read as a path; undefined also when the result is no path. */
  substitutePath(path: Path, template: string): Path | undefined {
    const text = this.substitute(path, template);
    if (text === undefined) return undefined;
    try {
      return parsePath(text);
    } catch (error) {
      if (error instanceof NameSyntaxError) return undefined;
      throw error;
    }
  }

  /** The first name that the template uses and the pattern does not capture. */
  unknownIn(template: string): string | undefined {
    for (const [, name = ''] of template.matchAll(/\{([^{}]*)\}/g))
      if (!this.variables.includes(name)) return name;
    return undefined;
  }
}

function fill(template: string, vars: ReadonlyMap<string, string>): string {
  return template.replace(/\{([^{}]*)\}/g, (whole, name: string) => vars.get(name) ?? whole);
}

function readSegment(expr: string, text: string, offset: number, seen: Set<string>): Segment {
  const refuse = (expected: string, found: string, at = 0): never => {
    throw new NameSyntaxError(expr, Math.min(offset + at, expr.length), expected, found);
  };
  if (text === '') refuse('a segment', offset >= expr.length ? 'end of input' : "'/'");
  // With one capturing group, split hands out literals and names by turns.
  const pieces = text.split(SPLIT);
  const literals = pieces.filter((_, i) => i % 2 === 0);
  const variables = pieces.filter((_, i) => i % 2 === 1);
  for (const name of variables) {
    const at = text.indexOf(`{${name}}`);
    if (!VARIABLE.test(name)) refuse('the name of a variable', `'${name}'`, at);
    if (seen.has(name)) refuse('a new variable', `'{${name}}'`, at);
    seen.add(name);
  }
  const stray = literals.find(literal => /[{}*]/.test(literal));
  if (stray !== undefined) refuse("a literal, '*' or '{name}'", `'${text}'`);
  return { literals, variables };
}

/**
 * Greedy from the left, as `(.+)` would be: each literal is looked for as far right as the captures behind it
 * allow, which needs no backtracking.
 */
function capture({ literals, variables }: Segment, text: string, vars: Map<string, string>): boolean {
  const [first = ''] = literals;
  if (variables.length === 0) return text === first;
  if (!text.startsWith(first)) return false;
  const last = literals.at(-1) ?? '';
  if (!text.endsWith(last)) return false;
  let end = text.length - last.length;
  for (let i = variables.length - 1; i > 0; i--) {
    const literal = literals[i] ?? '';
    // At least one character belongs to the capture behind the literal.
    const at = text.lastIndexOf(literal, end - 1 - literal.length);
    if (at < 0 || end - 1 < literal.length) return false;
    vars.set(variables[i] ?? '', text.slice(at + literal.length, end));
    end = at;
  }
  if (end <= first.length) return false;
  vars.set(variables[0] ?? '', text.slice(first.length, end));
  return true;
}
