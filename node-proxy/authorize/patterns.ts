/**
 * Text patterns of rules: exact, `prefix*`, `*suffix`, or `*` for any text that is not empty. No pattern matches
 * the absence, so `not: ['*']` means "has none".
 *
 * Rules are objects of a few classes instead of closures, here and beside: the engine inlines their methods.
 */

export type Pattern =
  | { kind: 'any' }
  | { kind: 'exact'; text: string }
  | { kind: 'prefix'; text: string }
  | { kind: 'suffix'; text: string };

/** More exact texts than this are looked up by hash; fewer are compared, most differ in length. */
const FEW = 8;

export function readPattern(pattern: string): Pattern {
  if (pattern === '*') return { kind: 'any' };
  if (pattern.endsWith('*')) return { kind: 'prefix', text: pattern.slice(0, -1) };
  if (pattern.startsWith('*')) return { kind: 'suffix', text: pattern.slice(1) };
  return { kind: 'exact', text: pattern };
}

export class TextPatterns {
  readonly #any: boolean;
  readonly #few: readonly string[];
  readonly #many: ReadonlySet<string> | undefined;
  readonly #prefixes: readonly string[];
  readonly #suffixes: readonly string[];

  /** An empty list fits nothing. */
  constructor(patterns: readonly Pattern[]) {
    const texts = (wanted: 'exact' | 'prefix' | 'suffix') =>
      patterns.flatMap(pattern => (pattern.kind === wanted ? [pattern.text] : []));
    const exact = texts('exact');
    this.#any = patterns.some(({ kind }) => kind === 'any');
    this.#few = exact.length > FEW ? [] : exact;
    this.#many = exact.length > FEW ? new Set(exact) : undefined;
    this.#prefixes = texts('prefix');
    this.#suffixes = texts('suffix');
  }

  /** Undefined when the rule doesn't ask. */
  static read(patterns: readonly string[] | undefined): TextPatterns | undefined {
    return patterns === undefined ? undefined : new TextPatterns(patterns.map(readPattern));
  }

  fits(text: string): boolean {
    if (text === '') return false;
    if (this.#any) return true;
    const last = text.charCodeAt(text.length - 1);
    for (const exact of this.#few) {
      // Identities, and paths of one interface, have long beginnings in common.
      if (exact.length === text.length && exact.charCodeAt(exact.length - 1) === last && exact === text)
        return true;
    }
    if (this.#many?.has(text)) return true;
    for (const prefix of this.#prefixes) if (startsWith(text, prefix)) return true;
    for (const suffix of this.#suffixes) if (text.endsWith(suffix)) return true;
    return false;
  }
}

/** From the end, where texts of a kind (identities, paths of an interface) differ; natively it costs a call. */
function startsWith(text: string, prefix: string): boolean {
  let i = prefix.length;
  if (text.length < i) return false;
  while (--i >= 0) if (text.charCodeAt(i) !== prefix.charCodeAt(i)) return false;
  return true;
}
