/**
 * Where a character of a YAML scalar's value stands in the file. Folding, indentation and quoting change only
 * white space and escapes, so counting the characters that are not white space leads to the same one in the
 * source, whatever the scalar's style.
 */

/**
 * @param source the scalar as written, from its first character (`|`, `>`, quote or text) to its end
 * @param value what it means
 * @param within offset in `value`; beyond a blank or the end it stands just after the last visible character
 * @returns offset in `source`
 */
export function scalarOffset(source: string, value: string, within: number): number {
  const visible = countVisible(value.slice(0, within));
  const atBlank = within >= value.length || isBlank(value[within] ?? ' ');
  let seen = 0;
  let after = bodyStart(source);
  for (const { start, length, blank } of characters(source)) {
    if (blank) continue;
    if (seen === visible) return atBlank ? after : start;
    seen += 1;
    after = start + length;
  }
  return after;
}

interface Character {
  start: number;
  length: number;
  blank: boolean;
}

/** The characters of the value in source order; an escape is one character. */
function* characters(source: string): Generator<Character> {
  const quote = source[0];
  const quoted = quote === '"' || quote === "'";
  let i = bodyStart(source);
  while (i < source.length) {
    if (quoted && source[i] === quote && !(quote === "'" && source[i + 1] === "'")) return;
    const length = quoted ? escapeLength(source, i, quote) : 1;
    const text = source.slice(i, i + length);
    const blank = length === 1 ? isBlank(text) : BLANK_ESCAPES.has(text[1] ?? '');
    yield { start: i, length, blank };
    i += length;
  }
}

/** Escapes that stand for white space, and the escaped line end that stands for nothing. */
const BLANK_ESCAPES = new Set(['n', 't', 'r', ' ', '\n', '\t', 'v', 'f', 'N', '_', 'L', 'P']);
const HEX_ESCAPES: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

function escapeLength(source: string, at: number, quote: string | undefined): number {
  if (quote === "'") return source[at] === "'" ? 2 : 1;
  if (source[at] !== '\\') return 1;
  return HEX_ESCAPES[source[at + 1] ?? ''] ?? 2;
}

/** Past the opening quote, or past the header line of a block scalar. */
function bodyStart(source: string): number {
  const first = source[0];
  if (first === '"' || first === "'") return 1;
  if (first !== '|' && first !== '>') return 0;
  const end = source.indexOf('\n');
  return end < 0 ? source.length : end + 1;
}

function countVisible(text: string): number {
  let count = 0;
  for (const char of text) if (!isBlank(char)) count += char.length;
  return count;
}

function isBlank(char: string): boolean {
  return /^\s$/.test(char);
}
