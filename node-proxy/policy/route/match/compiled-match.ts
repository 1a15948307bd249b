/**
 * One match of a table, ready to be asked (Gateway API HTTPRouteMatch: all given parts must fit).
 *
 * Paths are compared as they were sent, byte by byte and without the query: `//`, `/./`, `/../`, `%2F` and `%2e`
 * are what they are, not what a server may make of them. Routing decides where a request goes, never whether it
 * may: the server's node authorizes what arrives there, normalized, so spelling a path differently gets a request
 * to another backend at most, never past a policy.
 */

import type { FieldMatch, RouteMatch } from '#api';
import type { CompiledAction } from '../action.ts';
import type { Probe } from './probe.ts';
import { compilePattern, type TextTest } from './text-test.ts';

const ANY = 0;
const EXACT = 1;
const PREFIX = 2;
const PATTERN = 3;

const SLASH = 0x2f;

/** A condition on a header or query parameter. */
export interface FieldTest {
  readonly slot: number;
  /** Undefined: {@link pattern} decides. */
  readonly exact: string | undefined;
  readonly pattern: TextTest | undefined;
}

export class CompiledMatch {
  /** Place in the order in which matches are tried. */
  readonly index: number;
  readonly action: CompiledAction;
  /**
   * What `ReplacePrefixMatch` replaces: the prefix without a trailing slash ('' for `/` and for matches without a
   * path), or the whole path of an exact match.
   */
  readonly prefix: string;

  readonly headers: readonly FieldTest[];
  readonly query: readonly FieldTest[];
  readonly #kind: 0 | 1 | 2 | 3;
  readonly #pattern: TextTest | undefined;
  readonly #method: string | undefined;

  /** @throws if a pattern is none. */
  constructor(index: number, match: RouteMatch, action: CompiledAction, probe: Probe) {
    this.index = index;
    this.action = action;
    const { path } = match;
    this.prefix = '';
    this.#kind = ANY;
    this.#pattern = undefined;
    if (path?.kind === 'exact') {
      this.#kind = EXACT;
      this.prefix = path.value;
    } else if (path?.kind === 'prefix') {
      this.prefix = path.value.endsWith('/') ? path.value.slice(0, -1) : path.value;
      if (this.prefix !== '') this.#kind = PREFIX;
    } else if (path?.kind === 'regex') {
      this.#kind = PATTERN;
      this.#pattern = compilePattern(path.value);
    }
    this.#method = match.method;
    this.headers = firstOfEach(match.headers).map(each => fieldTest(each, probe.headerSlot(each.name)));
    this.query = firstOfEach(match.query).map(each => fieldTest(each, probe.querySlot(each.name)));
  }

  get isExactPath(): boolean {
    return this.#kind === EXACT;
  }

  get isPathPrefix(): boolean {
    return this.#kind === PREFIX;
  }

  fits(probe: Probe, method: string): boolean {
    if (this.#method !== undefined && this.#method !== method) return false;
    if (this.#kind !== ANY && !this.#pathFits(probe)) return false;
    const { headers, query } = this;
    for (let i = 0; i < headers.length; i++) {
      const test = headers[i]!;
      if (!fieldFits(test, probe.header(test.slot))) return false;
    }
    for (let i = 0; i < query.length; i++) {
      const test = query[i]!;
      if (!fieldFits(test, probe.query(test.slot))) return false;
    }
    return true;
  }

  #pathFits(probe: Probe): boolean {
    if (this.#kind === PATTERN) return this.#pattern!.fits(probe.text);
    const { prefix } = this;
    const { length } = prefix;
    if (length > probe.end || !probe.path.startsWith(prefix)) return false;
    if (length === probe.end) return true;
    return this.#kind === PREFIX && probe.path.charCodeAt(length) === SLASH;
  }
}

/** A field that is not there fits nothing, not even `.*`. */
function fieldFits(test: FieldTest, value: string | undefined): boolean {
  if (value === undefined) return false;
  return test.pattern === undefined ? value === test.exact : test.pattern.fits(value);
}

function fieldTest(match: FieldMatch, slot: number): FieldTest {
  return match.kind === 'exact'
    ? { slot, exact: match.value, pattern: undefined }
    : { slot, exact: undefined, pattern: compilePattern(match.value) };
}

/** Of several conditions on one name the first counts (Gateway API, HTTPHeaderMatch and HTTPQueryParamMatch). */
function firstOfEach(matches: readonly FieldMatch[]): FieldMatch[] {
  return matches.filter((each, i) => matches.findIndex(other => other.name === each.name) === i);
}
