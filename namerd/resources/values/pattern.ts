/**
 * Regular expressions that users write. They are RE2 (linear time whatever the input), read here and run in
 * proxies on what strangers send. Linear is not cheap: a short pattern with large repetitions is a program of
 * 100,000 steps for each character of the input. Hence a limit on the program, which is also estimated before
 * it is built.
 */

import { RE2JS } from 're2js';
import type { ConfigNode } from '#base/config.ts';

export const MAX_PATTERN_LENGTH = 1_024;
/** Instructions. A full program costs about 0.1 s for an input of 8 KiB in the worst case. */
const MAX_PROGRAM = 512;

const REPEAT = /^\{(\d{1,6})(?:,(\d{0,6}))?\}/;

/** What is wrong with the text as a pattern, and where if that is known; undefined if nothing. */
export function patternProblem(text: string): { message: string; offset?: number } | undefined {
  if (text.length > MAX_PATTERN_LENGTH)
    return { message: `${text.length} characters: at most ${MAX_PATTERN_LENGTH}` };
  if (estimatedSize(text) > MAX_PROGRAM) return { message: TOO_LARGE };
  try {
    return RE2JS.compile(text).programSize() > MAX_PROGRAM ? { message: TOO_LARGE } : undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [, reason = error.message, part] =
      /^error parsing regexp: (.*?)(?:: `(.*)`)?$/s.exec(error.message) ?? [];
    const offset = part === undefined ? -1 : text.indexOf(part);
    const where = part === undefined || part === text ? '' : ` at '${part}'`;
    const message = `'${text.slice(0, 80)}' is no regular expression (RE2): ${reason}${where}`;
    return offset < 0 ? { message } : { message, offset };
  }
}

const TOO_LARGE = `the pattern is too large: more than ${MAX_PROGRAM} steps with its repetitions written out`;

/** @returns the pattern's text; the problem stands at the offending character. */
export function readPattern(node: ConfigNode | undefined): string | undefined {
  const text = node?.string();
  if (node === undefined || text === undefined) return undefined;
  if (text === '') {
    node.problem('an empty pattern fits an empty text only');
    return undefined;
  }
  const problem = patternProblem(text);
  if (problem === undefined) return text;
  node.problem(problem.message, problem.offset);
  return undefined;
}

/** How many single matchers the pattern has with its repetitions written out: at least, and not far from it. */
function estimatedSize(text: string): number {
  const open = [0];
  let last = 0;
  for (let i = 0; i < text.length; i++) {
    const repeat = text[i] === '{' ? REPEAT.exec(text.slice(i, i + 16)) : null;
    let added: number;
    if (repeat !== null) {
      const times = Number(repeat[2] || repeat[1]);
      added = last * Math.max(times - 1, 0);
      i += repeat[0].length - 1;
      last += added;
    } else if (text[i] === '(') {
      open.push(0);
      continue;
    } else if (text[i] === ')' && open.length > 1) {
      added = open.pop() ?? 0;
      last = added;
    } else {
      if (text[i] === '\\') i++;
      else if (text[i] === '[') i = endOfClass(text, i);
      else if ('?*+|^$'.includes(text[i] ?? '')) continue;
      added = 1;
      last = 1;
    }
    open[open.length - 1] = (open.at(-1) ?? 0) + added;
  }
  return open.reduce((sum, each) => sum + each, 0);
}

/** The index of the bracket that ends a class, or of the text's end. */
function endOfClass(text: string, start: number): number {
  let i = start + 1;
  if (text[i] === '^') i++;
  if (text[i] === ']') i++;
  while (i < text.length && text[i] !== ']') {
    if (text[i] === '\\') i++;
    else if (text.startsWith('[:', i)) i = Math.max(text.indexOf(':]', i) + 1, i);
    i++;
  }
  return i;
}
