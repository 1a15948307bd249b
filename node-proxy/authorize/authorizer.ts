/**
 * Authorization on the server's node, of connections and of requests. Policies are compiled once per snapshot; a
 * decision is one walk over the rules of one workload and allocates nothing unless an AUDIT rule matches.
 *
 * Order (Istio and ztunnel agree on it): any DENY that matches → denied; no ALLOW policy → allowed; any
 * ALLOW that matches → allowed; else denied. AUDIT policies only add their names to the decision.
 */

import type { Policy, PolicyAction, Transport } from '#api';
import type { Caller, Decision, Test } from './caller.ts';
import { sourceTest } from './source.ts';
import { asksPath, hasHttpFields, targetTest } from './target.ts';

interface CompiledRule {
  source: Test;
  target: Test;
  /** What it means when it decides and nothing is audited. */
  decision: Decision;
}

const NO_AUDITS: readonly string[] = [];
const ALLOWED_BY_DEFAULT: Decision = { allowed: true, rule: 'default', audits: NO_AUDITS };
const NO_ALLOW_MATCHED: Decision = { allowed: false, rule: 'no-allow-matched', audits: NO_AUDITS };

export class Authorizer {
  /** Some rule asks about requests: connections can't be judged as a whole. */
  readonly http: boolean;
  /** Some rule asks for paths: requests whose path has no normal form must be refused. */
  readonly paths: boolean;
  readonly #deny: readonly CompiledRule[];
  readonly #allow: readonly CompiledRule[];
  readonly #audit: readonly CompiledRule[];
  readonly #hasAllow: boolean;
  readonly #transport: Transport;

  /** @param policies those of the workload, in order. @throws PolicyUnreadable */
  constructor(policies: readonly Policy[], transport: Transport) {
    const targets = policies.flatMap(({ rules }) => rules.flatMap(({ to }) => to));
    this.http = targets.some(hasHttpFields);
    this.paths = targets.some(asksPath);
    this.#deny = compile(policies, 'DENY');
    this.#allow = compile(policies, 'ALLOW');
    this.#audit = compile(policies, 'AUDIT');
    this.#hasAllow = policies.some(({ action }) => action === 'ALLOW');
    this.#transport = transport;
  }

  decide(caller: Caller): Decision {
    const decision = this.#judge(caller);
    if (this.#audit.length === 0) return decision;
    const audits = this.#audit.filter(rule => matches(rule, caller)).map(rule => rule.decision.rule);
    return audits.length === 0 ? decision : { ...decision, audits };
  }

  /** Is plaintext from outside the mesh taken at this port at all? */
  plaintextAllowed(port: number): boolean {
    return (this.#transport.ports[String(port)] ?? this.#transport.mode) === 'permissive';
  }

  #judge(caller: Caller): Decision {
    for (const rule of this.#deny) if (matches(rule, caller)) return rule.decision;
    if (!this.#hasAllow) return ALLOWED_BY_DEFAULT;
    for (const rule of this.#allow) if (matches(rule, caller)) return rule.decision;
    return NO_ALLOW_MATCHED;
  }
}

/** Nobody gets in: for a pod whose policies are not known (yet). */
export const DENY_ALL = new Authorizer([{ id: 'nodemesh/unknown-workload', action: 'ALLOW', rules: [] }], {
  mode: 'strict',
  ports: {},
});

function matches({ source, target }: CompiledRule, caller: Caller): boolean {
  return target(caller) && source(caller);
}

function compile(policies: readonly Policy[], action: PolicyAction): CompiledRule[] {
  return policies
    .filter(policy => policy.action === action)
    .flatMap(policy =>
      policy.rules.map(({ from, to }, i) => ({
        source: sourceTest(from),
        target: targetTest(to, action),
        decision: { allowed: action === 'ALLOW', rule: `${policy.id}[${i}]`, audits: NO_AUDITS },
      })),
    );
}
