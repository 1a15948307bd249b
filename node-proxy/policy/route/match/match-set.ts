/**
 * Sets of matches that answer "which of you fits first?" without asking every one. Small sets ask in order. Large
 * ones look the path up, exact or segment by segment, and then the value of the header or parameter that most of
 * their matches compare; what can't be looked up (patterns, no conditions) is still asked in order.
 *
 * Invariant: every set answers exactly as asking all its matches in order does.
 */

import type { CompiledMatch, FieldTest } from './compiled-match.ts';
import type { Probe } from './probe.ts';

/** Up to so many matches asking is cheaper than looking up. */
const ASKED = 16;
/** How often a set is divided by fields; real tables divide by one or two. */
const DIVISIONS = 8;

export interface MatchSet {
  /** The lowest index of a match that fits and is below `below`, else `below`. */
  first(probe: Probe, method: string, below: number): number;
}

/** @param matches in the order of their indices. */
export function setOf(matches: readonly CompiledMatch[]): MatchSet {
  return matches.length <= ASKED ? new AskedSet(matches) : new PathSet(matches);
}

class AskedSet implements MatchSet {
  readonly #matches: readonly CompiledMatch[];

  constructor(matches: readonly CompiledMatch[]) {
    this.#matches = matches;
  }

  first(probe: Probe, method: string, below: number): number {
    const matches = this.#matches;
    for (let i = 0; i < matches.length; i++) {
      const match = matches[i]!;
      if (match.index >= below) return below;
      if (match.fits(probe, method)) return match.index;
    }
    return below;
  }
}

/** Divides by path. */
class PathSet implements MatchSet {
  readonly #exact = new Map<string, MatchSet>();
  readonly #root: Segment;
  readonly #others: MatchSet;
  /** The segments that fit the path at hand, from the shortest prefix on; used again for every request. */
  readonly #trail: MatchSet[] = [];

  constructor(matches: readonly CompiledMatch[]) {
    const exact = new Map<string, CompiledMatch[]>();
    const prefixes = new Map<string, CompiledMatch[]>();
    const others: CompiledMatch[] = [];
    for (const match of matches) {
      if (match.isExactPath) listIn(exact, match.prefix).push(match);
      else if (match.isPathPrefix && match.prefix.startsWith('/')) listIn(prefixes, match.prefix).push(match);
      else others.push(match);
    }
    for (const [path, list] of exact) this.#exact.set(path, divided(list));
    this.#root = new Segment();
    for (const [prefix, list] of prefixes) {
      let segment = this.#root;
      for (const name of prefix.slice(1).split('/')) segment = segment.child(name);
      segment.set = divided(list);
    }
    this.#others = divided(others);
  }

  first(probe: Probe, method: string, below: number): number {
    const path = probe.text;
    let best = this.#exact.get(path)?.first(probe, method, below) ?? below;
    // Longer prefixes come first in a sorted table, so asking them first leaves less to ask.
    const trail = this.#trail;
    for (let i = this.#follow(path) - 1; i >= 0; i--) best = trail[i]!.first(probe, method, best);
    return this.#others.first(probe, method, best);
  }

  /** @returns how many sets of the trail count. */
  #follow(path: string): number {
    if (path.charCodeAt(0) !== 0x2f) return 0;
    let count = 0;
    let segment: Segment | undefined = this.#root;
    for (let at = 1; at <= path.length && segment.children !== undefined; ) {
      let end = path.indexOf('/', at);
      if (end < 0) end = path.length;
      segment = segment.children.get(path.slice(at, end));
      if (segment === undefined) break;
      if (segment.set !== undefined) this.#trail[count++] = segment.set;
      at = end + 1;
    }
    return count;
  }
}

class Segment {
  children: Map<string, Segment> | undefined;
  set: MatchSet | undefined;

  child(name: string): Segment {
    this.children ??= new Map();
    let child = this.children.get(name);
    if (child === undefined) this.children.set(name, (child = new Segment()));
    return child;
  }
}

/** Divides by the value of one header or parameter. */
class FieldSet implements MatchSet {
  readonly #field: Field;
  readonly #byValue: ReadonlyMap<string, MatchSet>;
  readonly #others: MatchSet;

  constructor(field: Field, byValue: ReadonlyMap<string, MatchSet>, others: MatchSet) {
    this.#field = field;
    this.#byValue = byValue;
    this.#others = others;
  }

  first(probe: Probe, method: string, below: number): number {
    const { slot, place } = this.#field;
    const value = place === 'headers' ? probe.header(slot) : probe.query(slot);
    const best =
      value === undefined ? below : (this.#byValue.get(value)?.first(probe, method, below) ?? below);
    return this.#others.first(probe, method, best);
  }
}

interface Field {
  place: 'headers' | 'query';
  slot: number;
}

function divided(matches: readonly CompiledMatch[], divisions = DIVISIONS, taken: Field[] = []): MatchSet {
  const field = matches.length > ASKED && divisions > 0 ? commonest(matches, taken) : undefined;
  if (field === undefined) return new AskedSet(matches);
  const byValue = new Map<string, CompiledMatch[]>();
  const others: CompiledMatch[] = [];
  for (const match of matches) {
    const value = exactTest(match, field)?.exact;
    if (value === undefined) others.push(match);
    else listIn(byValue, value).push(match);
  }
  const sets = new Map<string, MatchSet>();
  for (const [value, list] of byValue) sets.set(value, divided(list, divisions - 1, [...taken, field]));
  return new FieldSet(field, sets, divided(others, divisions - 1, [...taken, field]));
}

/** The field that most of the matches compare with a text; undefined where too few do to be worth it. */
function commonest(matches: readonly CompiledMatch[], taken: readonly Field[]): Field | undefined {
  const counts = new Map<string, { field: Field; count: number }>();
  for (const match of matches) {
    for (const place of ['headers', 'query'] as const) {
      for (const { slot, exact } of match[place]) {
        if (exact === undefined || taken.some(each => each.place === place && each.slot === slot)) continue;
        const key = `${place} ${slot}`;
        const known = counts.get(key);
        if (known === undefined) counts.set(key, { field: { place, slot }, count: 1 });
        else known.count += 1;
      }
    }
  }
  let best: { field: Field; count: number } | undefined;
  for (const each of counts.values()) if (each.count > (best?.count ?? ASKED - 1)) best = each;
  return best?.field;
}

function exactTest(match: CompiledMatch, field: Field): FieldTest | undefined {
  return match[field.place].find(test => test.slot === field.slot && test.exact !== undefined);
}

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
