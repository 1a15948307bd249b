/** A rewritten authority in HTTP/1.1: the Host field, as an edit. Routes repeat themselves, so the last one is kept. */

import type { HeaderEdits } from '../view.ts';

const NONE: HeaderEdits = { drop: new Set(), lines: '', fields: [] };

export class HostEdit {
  #authority: string | undefined;
  #edits: HeaderEdits | undefined;
  #made: HeaderEdits | undefined;

  /** @param authority checked when the route was compiled; undefined: the client's stays. */
  of(authority: string | undefined, edits: HeaderEdits | undefined): HeaderEdits | undefined {
    if (authority === undefined) return edits;
    if (this.#made === undefined || this.#authority !== authority || this.#edits !== edits) {
      const { drop, lines, fields } = edits ?? NONE;
      this.#authority = authority;
      this.#edits = edits;
      this.#made = { drop: new Set([...drop, 'host']), lines: `Host: ${authority}\r\n${lines}`, fields };
    }
    return this.#made;
  }
}
