/**
 * Authorization on the server's node, of connections and of requests. Policies are compiled once per snapshot; a
 * decision is one walk over the rules of one workload and allocates nothing unless an AUDIT rule matches.
 *
 * Order (Istio and ztunnel agree on it): any DENY that matches → denied; no ALLOW policy → allowed; any
 * ALLOW that matches → allowed; else denied. AUDIT policies only add their names to the decision.
 */

import type { Policy, PolicyAction, PolicyRule, Transport } from '#api';
import type { Caller, Decision } from './caller.ts';
import { type PathReadings, readPath } from './path-patterns.ts';
import { Sources } from './source.ts';
import { asksPath, fieldsAsked, hasHttpFields, Target } from './target.ts';

const NO_AUDITS: readonly string[] = [];
const ALLOWED_BY_DEFAULT: Decision = { allowed: true, rule: 'default', audits: NO_AUDITS };
const NO_ALLOW_MATCHED: Decision = { allowed: false, rule: 'no-allow-matched', audits: NO_AUDITS };

class Rule {
  /** What it means when it decides and nothing is audited. */
  readonly decision: Decision;
  readonly #targets: readonly Target[] | undefined;
  readonly #sources: Sources | undefined;

  constructor(name: string, action: PolicyAction, { from, to }: PolicyRule) {
    this.decision = { allowed: action === 'ALLOW', rule: name, audits: NO_AUDITS };
    this.#targets = to.length === 0 ? undefined : to.map(match => new Target(match, action));
    this.#sources = from.length === 0 ? undefined : new Sources(from);
  }

  fits(caller: Caller, path: PathReadings | undefined): boolean {
    if (this.#sources !== undefined && !this.#sources.fits(caller)) return false;
    if (this.#targets === undefined) return true;
    for (const target of this.#targets) if (target.fits(caller, path)) return true;
    return false;
  }
}

export class Authorizer {
  /** Some rule asks about requests: connections can't be judged as a whole. */
  readonly http: boolean;
  /** Some rule asks for paths: requests whose path has no normal form must be refused. */
  readonly paths: boolean;
  /** Fields that some rule asks for, lower case: requests must be refused in which servers could read them otherwise. */
  readonly fields: readonly string[];
  readonly #deny: readonly Rule[];
  readonly #allow: readonly Rule[];
  readonly #audit: readonly Rule[];
  readonly #hasAllow: boolean;
  readonly #transport: Transport;

  /** @param policies those of the workload, in order. @throws PolicyUnreadable */
  constructor(policies: readonly Policy[], transport: Transport) {
    const targets = policies.flatMap(({ rules }) => rules.flatMap(({ to }) => to));
    this.http = targets.some(hasHttpFields);
    this.paths = targets.some(asksPath);
    this.fields = [...new Set(targets.flatMap(fieldsAsked))];
    this.#deny = compile(policies, 'DENY');
    this.#allow = compile(policies, 'ALLOW');
    this.#audit = compile(policies, 'AUDIT');
    this.#hasAllow = policies.some(({ action }) => action === 'ALLOW');
    this.#transport = transport;
  }

  decide(caller: Caller): Decision {
    const { request } = caller;
    const path = this.paths && request !== undefined ? readPath(request.path) : undefined;
    const decision = this.#judge(caller, path);
    if (this.#audit.length === 0) return decision;
    const audits = this.#audit.filter(rule => rule.fits(caller, path)).map(rule => rule.decision.rule);
    return audits.length === 0 ? decision : { ...decision, audits };
  }

  /** Is plaintext from outside the mesh taken at this port at all? */
  plaintextAllowed(port: number): boolean {
    return (this.#transport.ports[String(port)] ?? this.#transport.mode) === 'permissive';
  }

  #judge(caller: Caller, path: PathReadings | undefined): Decision {
    for (const rule of this.#deny) if (rule.fits(caller, path)) return rule.decision;
    if (!this.#hasAllow) return ALLOWED_BY_DEFAULT;
    for (const rule of this.#allow) if (rule.fits(caller, path)) return rule.decision;
    return NO_ALLOW_MATCHED;
  }
}

/** Nobody gets in: for a pod whose policies are not known (yet). */
export const DENY_ALL = new Authorizer([{ id: 'nodemesh/unknown-workload', action: 'ALLOW', rules: [] }], {
  mode: 'strict',
  ports: {},
});

function compile(policies: readonly Policy[], action: PolicyAction): Rule[] {
  return policies
    .filter(policy => policy.action === action)
    .flatMap(({ id, rules }) => rules.map((rule, i) => new Rule(`${id}[${i}]`, action, rule)));
}
