/** Texts with one star: exact, `prefix*`, `*suffix`, or `*`. */

/** What is wrong with the text; undefined if nothing. */
export function wildcardProblem(text: string): string | undefined {
  if (text === '') return 'an empty text matches nothing';
  const star = text.indexOf('*');
  const single = star < 0 || (star === text.lastIndexOf('*') && (star === 0 || star === text.length - 1));
  return single ? undefined : `'${text}': one '*' is allowed, at the beginning or at the end`;
}

/** The text without its star. */
export function literalOf(text: string): string {
  return text.replace(/^\*|\*$/, '');
}
