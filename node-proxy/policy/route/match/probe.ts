/**
 * What a table asks of one request, each thing at most once: its path without the query, and the fields and
 * parameters that some match names. One per table, used again for every request; matching never waits, so two
 * requests never share it.
 */

import type { RequestView } from '../../view.ts';
import { queryStart, queryValue, queryValues } from '../query.ts';

/** More names than this in a table, and a query is taken apart once, not searched for each. */
const SEARCHED_NAMES = 4;

export class Probe {
  #request: RequestView | undefined;
  /** With its query, as sent. */
  path = '';
  /** Where the path ends, before the query. */
  end = 0;
  #text: string | undefined;
  #query = -1;
  #parameters: Map<string, string> | undefined;

  readonly #headers: Slots;
  readonly #names: Slots;
  #turn = 0;

  constructor() {
    this.#headers = new Slots();
    this.#names = new Slots();
  }

  /** Gives a header that matches ask for a number; when a table is compiled. */
  headerSlot(name: string): number {
    return this.#headers.slotOf(name);
  }

  /** The same for a query parameter. */
  querySlot(name: string): number {
    return this.#names.slotOf(name);
  }

  start(request: RequestView): void {
    const path = request.path;
    this.#request = request;
    this.path = path;
    this.#query = queryStart(path);
    this.end = this.#query < 0 ? path.length : this.#query - 1;
    this.#text = undefined;
    this.#parameters = undefined;
    this.#turn += 1;
  }

  /** Lets go of the request. */
  over(): void {
    this.#request = undefined;
    this.path = '';
    this.#text = undefined;
    this.#parameters = undefined;
  }

  /** The path without its query. */
  get text(): string {
    this.#text ??= this.#query < 0 ? this.path : this.path.slice(0, this.end);
    return this.#text;
  }

  /** `host` is the authority, in whatever field the protocol carries it. */
  header(slot: number): string | undefined {
    const slots = this.#headers;
    if (slots.turns[slot] !== this.#turn) {
      const name = slots.names[slot]!;
      slots.turns[slot] = this.#turn;
      slots.values[slot] = name === 'host' ? this.#request!.authority : this.#request!.header(name);
    }
    return slots.values[slot];
  }

  query(slot: number): string | undefined {
    if (this.#query < 0) return undefined;
    const slots = this.#names;
    if (slots.turns[slot] !== this.#turn) {
      slots.turns[slot] = this.#turn;
      slots.values[slot] = this.#parameter(slots.names[slot]!);
    }
    return slots.values[slot];
  }

  #parameter(name: string): string | undefined {
    if (this.#names.names.length <= SEARCHED_NAMES) return queryValue(this.path, this.#query, name);
    this.#parameters ??= queryValues(this.path, this.#query);
    return this.#parameters.get(name);
  }
}

/** Values by slot; a value counts only in the turn that it was read in. */
class Slots {
  readonly names: string[] = [];
  readonly values: (string | undefined)[] = [];
  readonly turns: number[] = [];
  readonly #slots = new Map<string, number>();

  slotOf(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = this.names.push(name) - 1;
    this.values.push(undefined);
    this.turns.push(0);
    this.#slots.set(name, slot);
    return slot;
  }
}
