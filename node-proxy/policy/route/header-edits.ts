/**
 * Header modifiers (Gateway API HTTPHeaderFilter) as edits of a head, prepared once.
 *
 * A filter removes, then sets, then adds; the spec allows one action per name, so the order only matters where one
 * filter follows another. An added field is a line of its own after those that are there, which means the same as
 * a value appended with a comma (RFC 9110 §5.3).
 *
 * Invariant: nothing that was built here can end a line early, change how long a message is, or name a field of the
 * connection; a filter that would is refused.
 */

import type { RouteFilter } from '#api';
import type { HeaderEdits } from '../view.ts';

type HeaderFilter = Extract<RouteFilter, { kind: 'requestHeaders' | 'responseHeaders' }>;

/** Why a filter can't be followed. */
export class FilterError extends Error {}

export class EditList {
  readonly #drop = new Set<string>();
  #fields: { name: string; value: string }[] = [];

  /** @throws FilterError */
  apply(filter: HeaderFilter): void {
    for (const name of filter.remove) this.#remove(checkedName(name));
    for (const { name, value } of filter.set) {
      this.#remove(checkedName(name));
      this.#fields.push({ name, value: checkedValue(name, value) });
    }
    for (const { name, value } of filter.add) {
      checkedName(name);
      this.#fields.push({ name, value: checkedValue(name, value) });
    }
  }

  /** @returns undefined if nothing changes. */
  build(): HeaderEdits | undefined {
    if (this.#drop.size === 0 && this.#fields.length === 0) return undefined;
    return {
      drop: this.#drop,
      lines: this.#fields.map(({ name, value }) => `${name}: ${value}\r\n`).join(''),
      fields: this.#fields.map(({ name, value }) => [name.toLowerCase(), value] as const),
    };
  }

  #remove(name: string): void {
    this.#drop.add(name);
    this.#fields = this.#fields.filter(each => each.name.toLowerCase() !== name);
  }
}

/** @returns the name in lower case. */
function checkedName(name: string): string {
  if (!TOKEN.test(name)) throw new FilterError(`${JSON.stringify(name)} is not a header name`);
  const lower = name.toLowerCase();
  if (CONNECTION_FIELDS.has(lower)) throw new FilterError(`${lower} is no header that routes may change`);
  return lower;
}

function checkedValue(name: string, value: string): string {
  const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
  // Characters beyond one byte would be cut to one when written, and could become a line feed.
  if (!VALUE.test(trimmed)) throw new FilterError(`the value of ${name} is not printable ASCII`);
  return trimmed;
}

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const VALUE = /^[\t -~]{0,8192}$/;

/** Fields that the codecs own: how long a message is, where it goes, what the connection does. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
