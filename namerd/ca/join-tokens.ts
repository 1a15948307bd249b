/** Which nodes exist and what each must present to join. Only hashes are kept, so a heap dump holds no token. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { CaRefusal } from './errors.ts';

export interface JoinEntry {
  name: string;
  /** Lower- or upper-case hexadecimal, 64 digits. */
  tokenSha256: string;
}

/** A token that is shorter can be guessed. */
export const MIN_TOKEN_LENGTH = 16;
const MAX_TOKEN_LENGTH = 4096;

export class JoinTokens {
  readonly #hashes = new Map<string, Buffer>();

  constructor(entries: readonly JoinEntry[]) {
    for (const { name, tokenSha256 } of entries) this.#hashes.set(name, Buffer.from(tokenSha256, 'hex'));
  }

  has(node: string): boolean {
    return this.#hashes.has(node);
  }

  get nodes(): string[] {
    return [...this.#hashes.keys()];
  }

  /** @throws CaRefusal NM_CA_NODE_UNKNOWN, NM_CA_TOKEN */
  check(node: string, token: string): void {
    const expected = this.#hashes.get(node);
    if (expected === undefined) throw unknownNode(node);
    const given = createHash('sha256').update(token.slice(0, MAX_TOKEN_LENGTH)).digest();
    if (expected.length !== given.length || !timingSafeEqual(expected, given))
      throw new CaRefusal('NM_CA_TOKEN', `the join token is not the one of node '${node}'`);
  }
}

/** For the configuration: the hash of a token file's text, without the white space around it. */
export function tokenSha256(token: string): string {
  return createHash('sha256').update(token.trim()).digest('hex');
}

export function unknownNode(node: string): CaRefusal {
  return new CaRefusal('NM_CA_NODE_UNKNOWN', `no node '${node.slice(0, 100)}' is configured`);
}
