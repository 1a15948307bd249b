/**
 * Text patterns of rules: exact, `prefix*`, `*suffix`, or `*` for any text that is not empty. No pattern matches
 * the absence, so `not: ['*']` means "has none".
 */

import type { Test } from './caller.ts';

export type TextTest = (text: string) => boolean;

export type Pattern =
  | { kind: 'any' }
  | { kind: 'exact'; text: string }
  | { kind: 'prefix'; text: string }
  | { kind: 'suffix'; text: string };

export function readPattern(pattern: string): Pattern {
  if (pattern === '*') return { kind: 'any' };
  if (pattern.endsWith('*')) return { kind: 'prefix', text: pattern.slice(0, -1) };
  if (pattern.startsWith('*')) return { kind: 'suffix', text: pattern.slice(1) };
  return { kind: 'exact', text: pattern };
}

/** Undefined when the rule doesn't ask. */
export function textTest(patterns: readonly string[] | undefined): TextTest | undefined {
  return patterns === undefined ? undefined : anyPattern(patterns.map(readPattern));
}

/** True when one of the patterns fits. An empty list fits nothing. */
export function anyPattern(patterns: readonly Pattern[]): TextTest {
  if (patterns.some(({ kind }) => kind === 'any')) return text => text !== '';
  const exact = new Set(textsOf(patterns, 'exact'));
  const prefixes = textsOf(patterns, 'prefix');
  const suffixes = textsOf(patterns, 'suffix');
  const [only] = exact;
  if (only !== undefined && patterns.length === 1) return text => text === only && text !== '';
  return text => {
    if (text === '') return false;
    if (exact.has(text)) return true;
    for (const prefix of prefixes) if (text.startsWith(prefix)) return true;
    for (const suffix of suffixes) if (text.endsWith(suffix)) return true;
    return false;
  };
}

function textsOf(patterns: readonly Pattern[], wanted: 'exact' | 'prefix' | 'suffix'): string[] {
  return patterns.flatMap(pattern => (pattern.kind === wanted ? [pattern.text] : []));
}

/** True when all are. */
export function every(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (tests.length === 2) return caller => first(caller) && second(caller);
  return caller => {
    for (const test of tests) if (!test(caller)) return false;
    return true;
  };
}

/** True when one is, or when there is none to ask. */
export function anyOf(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  return caller => {
    for (const test of tests) if (test(caller)) return true;
    return false;
  };
}

/** The tests that are there. */
export function given<T>(tests: readonly (T | undefined)[]): T[] {
  return tests.filter(test => test !== undefined);
}
