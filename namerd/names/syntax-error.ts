/** What a reader of names complains with: what was expected, what stands there, and where, with the place marked. */

import { MeshError } from '#base/errors.ts';

/** Texts up to this length are shown whole in the message; of longer ones only the surroundings of the place. */
const SHOWN_WHOLE = 1_000;
const SHOWN_AROUND = 60;

export class NameSyntaxError extends MeshError {
  /** Zero-based index into the text, in UTF-16 units; the text's length when the end came too early. */
  readonly offset: number;
  readonly expected: string;

  /** `X expected but Y found at 'abc[d]ef'` */
  constructor(text: string, offset: number, expected: string, found: string) {
    super('NM_NAME_SYNTAX', `${expected} expected but ${found} found at '${marked(text, offset)}'`, {
      by: 'client',
      next: 'Correct the name or dtab at the place marked with brackets.',
    });
    this.offset = offset;
    this.expected = expected;
  }
}

/** The text with `[…]` around the character at `offset`, or `[]` at its end. */
function marked(text: string, offset: number): string {
  const whole = text.length <= SHOWN_WHOLE;
  const from = whole ? 0 : Math.max(0, offset - SHOWN_AROUND);
  const to = whole ? text.length : Math.min(text.length, offset + SHOWN_AROUND);
  const character = offset < text.length ? String.fromCodePoint(text.codePointAt(offset) ?? 0) : '';
  const before = `${from > 0 ? '…' : ''}${text.slice(from, offset)}`;
  const after = `${text.slice(offset + character.length, to)}${to < text.length ? '…' : ''}`;
  return `${before}[${character}]${after}`;
}
