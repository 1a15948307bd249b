/**
 * Reading YAML (or JSON) configuration so that every mistake is reported at once, with file, line and
 * column. A reader walks the parsed document beside the code that knows the fields; `finish` reports
 * fields that nobody asked for. Nothing throws until {@link Problems.throwIfAny}.
 */

import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, type Node, type YAMLMap } from 'yaml';
import { MeshError } from './errors.ts';
import { scalarOffset } from './scalar-offset.ts';
import { yamlDocuments } from './yaml-documents.ts';

export interface Problem {
  file: string;
  /** 1-based. */
  line: number;
  /** 1-based. */
  column: number;
  /** Where in the document, for example `namers[0].rootDir`. */
  path: string;
  message: string;
}

export class ConfigError extends MeshError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('NM_CONFIG', problems.map(formatProblem).join('\n'), {
      by: 'config',
      next: 'Correct the lines named above.',
    });
    this.problems = problems;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), problems: this.problems };
  }
}

/** `file:line:column: path: message` */
export function formatProblem({ file, line, column, path, message }: Problem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

/** A text of this size is more than any configuration of ours; parsing more would be a way to stall us. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Characters of a wrong value that a message repeats. */
const MAX_SHOWN = 80;

/** Collects the problems of one file. */
export class Problems {
  readonly file: string;
  readonly list: Problem[] = [];
  /** The whole file. */
  readonly text: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter, text: string) {
    this.file = file;
    this.text = text;
    this.#lines = lines;
  }

  add(offset: number, path: string, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.list.push({ file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), path, message });
  }

  throwIfAny(): void {
    if (this.list.length > 0) throw new ConfigError(this.list);
  }
}

/** Parses a text with any number of documents; empty documents are skipped. Syntax errors land in `problems`. */
export function parseYaml(text: string, file: string): { documents: ConfigNode[]; problems: Problems } {
  const lines = new LineCounter();
  const problems = new Problems(file, lines, text);
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    problems.add(0, '', `the file is larger than ${MAX_TEXT_BYTES} bytes`);
    return { documents: [], problems };
  }
  const contents = yamlDocuments(text, lines, (offset, message) => problems.add(offset, '', message));
  const documents = [...contents].map(node => new ConfigNode(node, '', problems));
  return { documents, problems };
}

/** One value of the document together with its place. */
export class ConfigNode {
  readonly path: string;
  readonly problems: Problems;
  readonly #node: Node | null;
  readonly #offset: number;

  constructor(node: Node | null, path: string, problems: Problems, offset?: number) {
    this.#node = node;
    this.path = path;
    this.problems = problems;
    this.#offset = offset ?? node?.range?.[0] ?? 0;
  }

  /** The plain value: null, boolean, number, string, array, object. */
  get value(): unknown {
    const node = this.#node;
    if (node === null || isAlias(node)) return null;
    return isScalar(node) ? node.value : (node as YAMLMap).toJSON();
  }

  /** Nothing is there, or `null`. An alias is something: whoever reads it must be told that it is not read. */
  get isNull(): boolean {
    const node = this.#node;
    return node === null || (isScalar(node) && node.value === null);
  }

  /** @param within offset inside the value's own text, for errors of an embedded language. */
  problem(message: string, within?: number): void {
    this.problems.add(this.#offset + this.#sourceOffset(within), this.path, message);
  }

  #sourceOffset(within: number | undefined): number {
    const node = this.#node;
    if (within === undefined || !isScalar(node) || !node.range) return 0;
    return scalarOffset(this.problems.text.slice(node.range[0], node.range[1]), String(node.value), within);
  }

  /** A reader of this value's fields; reports and returns an empty reader if it is no mapping. */
  fields(): Fields {
    const node = this.#node;
    const entries = new Map<string, ConfigNode>();
    if (node === null || !isMap(node)) {
      this.problem(`a mapping is expected here${describe(node)}`);
      return new Fields(this, entries);
    }
    for (const pair of node.items) {
      if (!isPair(pair)) continue;
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const offset = (pair.key as Node).range?.[0];
      const path = this.path === '' ? key : `${this.path}.${key}`;
      const value = (pair.value ?? null) as Node | null;
      // A field's own problem points at its value; a null value has no place, so the key stands in.
      entries.set(key, new ConfigNode(value, path, this.problems, value?.range?.[0] ?? offset));
    }
    return new Fields(this, entries);
  }

  /** The items of a list; reports and returns none if it is no list. */
  items(): ConfigNode[] {
    const node = this.#node;
    if (node === null || !isSeq(node)) {
      this.problem(`a list is expected here${describe(node)}`);
      return [];
    }
    return node.items.map((item, i) => new ConfigNode(item as Node, `${this.path}[${i}]`, this.problems));
  }

  string(): string | undefined {
    return this.#typed('a string', value => typeof value === 'string');
  }

  boolean(): boolean | undefined {
    return this.#typed('true or false', value => typeof value === 'boolean');
  }

  number(min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): number | undefined {
    const value = this.#typed<number>('a number', value => typeof value === 'number');
    return this.#within(value, min, max);
  }

  integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#typed<number>('a whole number', value => Number.isSafeInteger(value));
    return this.#within(value, min, max);
  }

  oneOf<const T extends string>(choices: readonly T[]): T | undefined {
    const value = this.string();
    if (value === undefined || choices.includes(value as T)) return value as T | undefined;
    this.problem(`'${value}' is not one of ${choices.join(', ')}`);
    return undefined;
  }

  #typed<T>(wanted: string, is: (value: unknown) => boolean): T | undefined {
    const value = this.value;
    if (is(value)) return value as T;
    this.problem(`${wanted} is expected here${describe(this.#node)}`);
    return undefined;
  }

  #within(value: number | undefined, min: number, max: number): number | undefined {
    if (value === undefined || (value >= min && value <= max)) return value;
    this.problem(
      max === Number.POSITIVE_INFINITY || max === Number.MAX_SAFE_INTEGER
        ? `${value} is too small: at least ${min}`
        : `${value} is out of range: ${min} to ${max}`,
    );
    return undefined;
  }
}

/** The fields of one mapping. Every getter marks its field as known. */
export class Fields {
  readonly node: ConfigNode;
  readonly #entries: Map<string, ConfigNode>;
  readonly #known = new Set<string>();

  constructor(node: ConfigNode, entries: Map<string, ConfigNode>) {
    this.node = node;
    this.#entries = entries;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The field's node, or undefined when it is absent or null. */
  get(name: string): ConfigNode | undefined {
    this.#known.add(name);
    const node = this.#entries.get(name);
    return node === undefined || node.isNull ? undefined : node;
  }

  /** As {@link get}, but an absent field is a problem. */
  need(name: string): ConfigNode | undefined {
    const node = this.get(name);
    if (node === undefined) this.node.problem(`the field '${name}' is missing`);
    return node;
  }

  /** Reports every field that no getter asked for. */
  finish(): void {
    for (const [name, node] of this.#entries) {
      if (this.#known.has(name)) continue;
      const known = [...this.#known].sort().join(', ');
      node.problem(`unknown field '${name}'${known === '' ? '' : ` (known here: ${known})`}`);
    }
  }
}

function describe(node: Node | null): string {
  if (node === null) return ', but nothing is there';
  if (isMap(node)) return ', but a mapping is there';
  if (isSeq(node)) return ', but a list is there';
  if (isScalar(node)) return `, but ${shortened(JSON.stringify(node.value) ?? String(node.value))} is there`;
  return ', but an alias is there (aliases are not read)';
}

/** A file that was put in the wrong place may be long, and not meant for a log. */
function shortened(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
