/** Changes of a request's path (Gateway API HTTPPathModifier). The query always stays. */

import type { PathChange } from '#api';
import { FilterError } from './header-edits.ts';

export class CompiledPathChange {
  readonly #full: boolean;
  /** With a leading slash; without a trailing one where a prefix is replaced, so '' for `/`. */
  readonly #value: string;

  /** @throws FilterError */
  constructor({ kind, value }: PathChange) {
    if (!PATH.test(value)) throw new FilterError(`${JSON.stringify(value)} is not a path`);
    const rooted = value.startsWith('/') ? value : `/${value}`;
    this.#full = kind === 'full';
    this.#value = this.#full || !rooted.endsWith('/') ? rooted : rooted.slice(0, -1);
  }

  /**
   * @param path with its query, as sent
   * @param prefix what the match covers of it, without a trailing slash
   * @returns undefined if nothing changes, or the path is none (`*`)
   */
  apply(path: string, prefix: string): string | undefined {
    if (path.charCodeAt(0) !== 0x2f) return undefined;
    const query = path.indexOf('?');
    const end = query < 0 ? path.length : query;
    const rest = this.#full ? '' : path.slice(prefix.length, end);
    const changed = this.#value + rest || '/';
    if (changed.length === end && path.startsWith(changed)) return undefined;
    return query < 0 ? changed : changed + path.slice(query);
  }
}

/** Characters of a path (RFC 3986 §3.3): nothing that ends it, the request line, or a header line. */
const PATH = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2}){0,1024}$/;
