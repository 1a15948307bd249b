/** `balancer`, `circuitBreaker` and `limits`: how a client's node uses the replicas of the service. */

import { type BalancerKind, type ClientSettings, DEFAULT_CLIENT_SETTINGS, type HashOn } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { readDuration } from '../values/duration.ts';
import { checked, optional, withoutAbsent } from '../values/fields.ts';
import { headerNameProblem } from '../values/header-text.ts';
import type { Warn } from './reading.ts';
import { section } from './reading.ts';

const KINDS = [
  'peakEwma',
  'leastRequest',
  'roundRobin',
  'ringHash',
] as const satisfies readonly BalancerKind[];
const MAX_COUNT = 1_000_000;
const MAX_NAME = 256;
const HASHED = ['header', 'cookie', 'query'] as const;

export function readClient(spec: Fields, warn: Warn): ClientSettings {
  const defaults = DEFAULT_CLIENT_SETTINGS;
  return {
    balancer: section(spec, 'balancer', readBalancer) ?? defaults.balancer,
    breaker: section(spec, 'circuitBreaker', fields => readBreaker(fields, warn)) ?? defaults.breaker,
    limits: section(spec, 'limits', readLimits) ?? defaults.limits,
  };
}

function readBalancer(fields: Fields): ClientSettings['balancer'] {
  const defaults = DEFAULT_CLIENT_SETTINGS.balancer;
  const kind = optional(fields, 'kind')?.oneOf(KINDS) ?? defaults.kind;
  const decayNode = optional(fields, 'decay');
  const decayMs = readDuration(decayNode, 1) ?? defaults.decayMs;
  if (kind !== 'peakEwma') decayNode?.problem(`only peakEwma has a decay, not ${kind}`);
  const hashNode = optional(fields, 'hashOn');
  const hashOn = hashNode === undefined ? undefined : readHashOn(hashNode);
  if (kind !== 'ringHash') hashNode?.problem(`only ringHash uses hashOn, not ${kind}`);
  else if (hashNode === undefined) fields.node.problem("ringHash needs the field 'hashOn': what it hashes");
  return withoutAbsent({ kind, decayMs, hashOn });
}

function readHashOn(node: ConfigNode): HashOn | undefined {
  const fields = node.fields();
  const found: HashOn[] = [];
  for (const kind of HASHED) {
    const at = optional(fields, kind);
    const name = checked(at, kind === 'query' ? queryNameProblem : headerNameProblem);
    if (name !== undefined) found.push({ kind, name: kind === 'header' ? name.toLowerCase() : name });
  }
  const address = optional(fields, 'sourceAddress');
  if (address?.boolean() === true) found.push({ kind: 'sourceAddress' });
  else if (address?.value === false) address.problem('the only value is true; leave the field out otherwise');
  fields.finish();
  if (fields.names.length !== 1)
    node.problem('one of these is expected: header, cookie or query with a name, or sourceAddress: true');
  return found[0];
}

function queryNameProblem(text: string): string | undefined {
  return text === '' || text.length > MAX_NAME ? `a name has 1 to ${MAX_NAME} characters` : undefined;
}

function readBreaker(fields: Fields, warn: Warn): ClientSettings['breaker'] {
  const defaults = DEFAULT_CLIENT_SETTINGS.breaker;
  const failuresNode = optional(fields, 'consecutiveFailures');
  const minNode = optional(fields, 'minEjection');
  const maxNode = optional(fields, 'maxEjection');
  const percent = optional(fields, 'maxEjectedPercent')?.number(0, 100);
  const failures = failuresNode?.integer(0, MAX_COUNT) ?? defaults.failures;
  const givenMin = readDuration(minNode, 1);
  const givenMax = readDuration(maxNode, 1);
  // One that is given moves the default of the other along.
  const minMs = givenMin ?? Math.min(defaults.minMs, givenMax ?? defaults.minMs);
  const maxMs = givenMax ?? Math.max(defaults.maxMs, minMs);
  if (minMs > maxMs) minNode?.problem("'minEjection' is longer than 'maxEjection'");
  if (failures === 0 && fields.names.length > 1)
    warn(fields.node, 'consecutiveFailures: 0 never ejects: the other fields have no effect');
  if (failures > 0 && percent === 0)
    warn(
      fields.node,
      'maxEjectedPercent: 0 never ejects: consecutiveFailures: 0 says the same, and more plainly',
    );
  return { failures, minMs, maxMs, maxEjected: percent === undefined ? defaults.maxEjected : percent / 100 };
}

/** 0 = no limit but the proxy's own. */
function readLimits(fields: Fields): ClientSettings['limits'] {
  const { connections, pending, requests } = DEFAULT_CLIENT_SETTINGS.limits;
  const read = (name: string) => optional(fields, name)?.integer(0, MAX_COUNT);
  return {
    connections: read('connections') ?? connections,
    pending: read('pendingRequests') ?? pending,
    requests: read('concurrentRequests') ?? requests,
  };
}
