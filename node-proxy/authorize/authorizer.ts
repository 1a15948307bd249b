/**
 * L4 authorization on the server's node. Policies are compiled once per snapshot; a decision is one walk
 * over the rules of one workload.
 *
 * Order (Istio and ztunnel agree on it): any DENY that matches → denied; no ALLOW policy → allowed; any
 * ALLOW that matches → allowed; else denied. AUDIT policies only add their names to the decision.
 */

import type { Policy, PolicyRule, SourceMatch, TargetMatch, Transport } from '#api';
import { MeshError } from '#base/errors.ts';
import { CidrBlock } from '#base/net.ts';

/** What is known of a connection when it is judged. */
export interface Caller {
  /** SPIFFE id, or '' for plaintext callers. */
  identity: string;
  /** Namespace of that identity, or ''. */
  namespace: string;
  /** Source address as bytes (see ipBytes). */
  ip: Uint8Array;
  /** The workload's own port. */
  port: number;
}

/** A compiled policy set could not be built; the one before stays in force. */
export class PolicyUnreadable extends MeshError {
  constructor(message: string) {
    super('NM_POLICY_UNREADABLE', message, { by: 'policy', next: 'See `namerctl status` for the policy.' });
  }
}

export interface Decision {
  allowed: boolean;
  /** `<policy>[<rule>]`, `default`, or `no-allow-matched`: what the access log shows. */
  rule: string;
  /** AUDIT policies that matched. */
  audits: readonly string[];
}

type Test = (caller: Caller) => boolean;
interface CompiledRule {
  name: string;
  matches: Test;
}

const NO_AUDITS: readonly string[] = [];
const ALLOWED_BY_DEFAULT: Decision = { allowed: true, rule: 'default', audits: NO_AUDITS };
const NO_ALLOW_MATCHED: Decision = { allowed: false, rule: 'no-allow-matched', audits: NO_AUDITS };

export class Authorizer {
  readonly #deny: readonly CompiledRule[];
  readonly #allow: readonly CompiledRule[];
  readonly #audit: readonly CompiledRule[];
  readonly #hasAllow: boolean;
  readonly #transport: Transport;

  /** @param policies those of the workload, in order. */
  constructor(policies: readonly Policy[], transport: Transport) {
    this.#deny = compile(policies, 'DENY');
    this.#allow = compile(policies, 'ALLOW');
    this.#audit = compile(policies, 'AUDIT');
    this.#hasAllow = policies.some(({ action }) => action === 'ALLOW');
    this.#transport = transport;
  }

  decide(caller: Caller): Decision {
    const audits =
      this.#audit.length === 0 ? NO_AUDITS : this.#audit.filter(r => r.matches(caller)).map(r => r.name);
    for (const rule of this.#deny)
      if (rule.matches(caller)) return { allowed: false, rule: rule.name, audits };
    if (!this.#hasAllow) return audits.length === 0 ? ALLOWED_BY_DEFAULT : { ...ALLOWED_BY_DEFAULT, audits };
    for (const rule of this.#allow)
      if (rule.matches(caller)) return { allowed: true, rule: rule.name, audits };
    return audits.length === 0 ? NO_ALLOW_MATCHED : { ...NO_ALLOW_MATCHED, audits };
  }

  /** Is plaintext from outside the mesh taken at this port at all? */
  plaintextAllowed(port: number): boolean {
    return (this.#transport.ports[String(port)] ?? this.#transport.mode) === 'permissive';
  }
}

/** Nobody gets in: for a pod whose policies are not known (yet). */
export const DENY_ALL = new Authorizer([{ id: 'nodemesh/unknown-workload', action: 'ALLOW', rules: [] }], {
  mode: 'strict',
  ports: {},
});

function compile(policies: readonly Policy[], action: Policy['action']): CompiledRule[] {
  return policies
    .filter(policy => policy.action === action)
    .flatMap(policy =>
      policy.rules.map((rule, i) => ({ name: `${policy.id}[${i}]`, matches: ruleTest(rule) })),
    );
}

function ruleTest({ from, to }: PolicyRule): Test {
  const source = anyOf(from.map(sourceTest));
  const target = anyOf(to.map(targetTest));
  return caller => source(caller) && target(caller);
}

function anyOf(tests: readonly Test[]): Test {
  if (tests.length === 0) return () => true;
  return caller => tests.some(test => test(caller));
}

function sourceTest(match: SourceMatch): Test {
  const identity = textTest(match.identities);
  const notIdentity = textTest(match.notIdentities);
  const namespace = textTest(match.namespaces);
  const notNamespace = textTest(match.notNamespaces);
  const block = blockTest(match.ipBlocks);
  const notBlock = blockTest(match.notIpBlocks);
  return caller =>
    (identity === undefined || identity(caller.identity)) &&
    (notIdentity === undefined || !notIdentity(caller.identity)) &&
    (namespace === undefined || namespace(caller.namespace)) &&
    (notNamespace === undefined || !notNamespace(caller.namespace)) &&
    (block === undefined || block(caller.ip)) &&
    (notBlock === undefined || !notBlock(caller.ip));
}

function targetTest({ ports, notPorts }: TargetMatch): Test {
  const wanted = ports === undefined ? undefined : new Set(ports);
  const unwanted = notPorts === undefined ? undefined : new Set(notPorts);
  return ({ port }) => wanted?.has(port) !== false && unwanted?.has(port) !== true;
}

/** Exact, `prefix*`, `*suffix`, or `*` for any that is not empty: a pattern never matches the absence. */
function textTest(patterns: readonly string[] | undefined): ((text: string) => boolean) | undefined {
  if (patterns === undefined) return undefined;
  const exact = new Set(patterns.filter(p => !p.startsWith('*') && !p.endsWith('*')));
  const prefixes = patterns.filter(p => p.endsWith('*') && p.length > 1).map(p => p.slice(0, -1));
  const suffixes = patterns.filter(p => p.startsWith('*') && p.length > 1).map(p => p.slice(1));
  const any = patterns.includes('*');
  return text =>
    text !== '' &&
    (any ||
      exact.has(text) ||
      prefixes.some(p => text.startsWith(p)) ||
      suffixes.some(s => text.endsWith(s)));
}

function blockTest(blocks: readonly string[] | undefined): ((ip: Uint8Array) => boolean) | undefined {
  if (blocks === undefined) return undefined;
  const parsed = blocks.map(readBlock);
  return ip => parsed.some(block => block.contains(ip));
}

/** namerd has refused unreadable blocks already; guessing here could only weaken a DENY. */
function readBlock(text: string): CidrBlock {
  const block = CidrBlock.parse(text);
  if (block === undefined) throw new PolicyUnreadable(`'${text}' is not an address block`);
  return block;
}
