/** Who calls: compiles the `from` of a rule, and every other list of callers (`dtabFrom`). */

import type { SourceMatch } from '#api';
import { MeshError } from '#base/errors.ts';
import { CidrBlock } from '#base/net.ts';
import type { Test } from './caller.ts';
import { anyOf, every, given, textTest } from './patterns.ts';

/** A compiled policy set could not be built; the one before stays in force. */
export class PolicyUnreadable extends MeshError {
  constructor(message: string) {
    super('NM_POLICY_UNREADABLE', message, { by: 'policy', next: 'See `namerctl status` for the policy.' });
  }
}

/** True for callers that one of the matches fits; an empty list fits everybody. @throws PolicyUnreadable */
export function sourceTest(matches: readonly SourceMatch[]): Test {
  return anyOf(matches.map(oneSource));
}

function oneSource(match: SourceMatch): Test {
  const identity = textTest(match.identities);
  const notIdentity = textTest(match.notIdentities);
  const namespace = textTest(match.namespaces);
  const notNamespace = textTest(match.notNamespaces);
  const block = blockTest(match.ipBlocks);
  const notBlock = blockTest(match.notIpBlocks);
  return every(
    given<Test>([
      identity && (caller => identity(caller.identity)),
      notIdentity && (caller => !notIdentity(caller.identity)),
      namespace && (caller => namespace(caller.namespace)),
      notNamespace && (caller => !notNamespace(caller.namespace)),
      block && (caller => block(caller.ip)),
      notBlock && (caller => !notBlock(caller.ip)),
    ]),
  );
}

function blockTest(blocks: readonly string[] | undefined): ((ip: Uint8Array) => boolean) | undefined {
  if (blocks === undefined) return undefined;
  const parsed = blocks.map(readBlock);
  return ip => {
    for (const block of parsed) if (block.contains(ip)) return true;
    return false;
  };
}

/** namerd has refused unreadable blocks already; guessing here could only weaken a DENY. */
function readBlock(text: string): CidrBlock {
  const block = CidrBlock.parse(text);
  if (block === undefined) throw new PolicyUnreadable(`'${text}' is not an address block`);
  return block;
}
