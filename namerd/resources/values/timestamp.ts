/** Dates of objects as Kubernetes writes them (RFC 3339 §5.6). */

const FORM =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** What is wrong with the text as a date; undefined if nothing. */
export function timestampProblem(text: string): string | undefined {
  const [, year, month, day] = FORM.exec(text) ?? [];
  // A day that its month has not would be one of the next month.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)) return undefined;
  return `'${text}' is no date of the form 2026-01-31T23:59:59Z`;
}

/** Milliseconds since the epoch of a text in which nothing is wrong. */
export function timeOf(text: string): number {
  return Date.parse(text.toUpperCase());
}

/** In whole seconds, as Kubernetes does. @param ms since the epoch */
export function timestampOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
