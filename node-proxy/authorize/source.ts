/** Who calls: compiles the `from` of a rule, and every other list of callers (`dtabFrom`). */

import type { SourceMatch } from '#api';
import { MeshError } from '#base/errors.ts';
import { CidrBlock } from '#base/net.ts';
import type { Caller } from './caller.ts';
import { TextPatterns } from './patterns.ts';

/** A compiled policy set could not be built; the one before stays in force. */
export class PolicyUnreadable extends MeshError {
  constructor(message: string) {
    super('NM_POLICY_UNREADABLE', message, { by: 'policy', next: 'See `namerctl status` for the policy.' });
  }
}

/** Callers that one of the matches fits. What an empty list means is the owner's matter; here it fits nobody. */
export class Sources {
  readonly #matches: readonly Source[];

  /** @throws PolicyUnreadable */
  constructor(matches: readonly SourceMatch[]) {
    this.#matches = matches.map(match => new Source(match));
  }

  fits(caller: Caller): boolean {
    for (const match of this.#matches) if (match.fits(caller)) return true;
    return false;
  }
}

/** The same as a function, for lists that are not empty. @throws PolicyUnreadable */
export function sourceTest(matches: readonly SourceMatch[]): (caller: Caller) => boolean {
  const sources = new Sources(matches);
  return caller => sources.fits(caller);
}

class Source {
  readonly #identities: TextPatterns | undefined;
  readonly #notIdentities: TextPatterns | undefined;
  readonly #namespaces: TextPatterns | undefined;
  readonly #notNamespaces: TextPatterns | undefined;
  readonly #blocks: readonly CidrBlock[] | undefined;
  readonly #notBlocks: readonly CidrBlock[] | undefined;

  constructor(match: SourceMatch) {
    this.#identities = TextPatterns.read(match.identities);
    this.#notIdentities = TextPatterns.read(match.notIdentities);
    this.#namespaces = TextPatterns.read(match.namespaces);
    this.#notNamespaces = TextPatterns.read(match.notNamespaces);
    this.#blocks = match.ipBlocks?.map(readBlock);
    this.#notBlocks = match.notIpBlocks?.map(readBlock);
  }

  fits({ identity, namespace, ip }: Caller): boolean {
    if (this.#identities !== undefined && !this.#identities.fits(identity)) return false;
    if (this.#notIdentities?.fits(identity)) return false;
    if (this.#namespaces !== undefined && !this.#namespaces.fits(namespace)) return false;
    if (this.#notNamespaces?.fits(namespace)) return false;
    if (this.#blocks !== undefined && !contains(this.#blocks, ip)) return false;
    return this.#notBlocks === undefined || !contains(this.#notBlocks, ip);
  }
}

function contains(blocks: readonly CidrBlock[], ip: Uint8Array): boolean {
  for (const block of blocks) if (block.contains(ip)) return true;
  return false;
}

/** namerd has refused unreadable blocks already; guessing here could only weaken a DENY. */
function readBlock(text: string): CidrBlock {
  const block = CidrBlock.parse(text);
  if (block === undefined) throw new PolicyUnreadable(`'${text}' is not an address block`);
  return block;
}
