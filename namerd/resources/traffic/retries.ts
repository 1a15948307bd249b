/** `timeouts` and `retries`. */

import { type Classifier, DEFAULT_SERVICE_SETTINGS, type ServiceSettings } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { readByteSize } from '../values/byte-size.ts';
import { readDuration } from '../values/duration.ts';
import { checked, optional, readList } from '../values/fields.ts';
import { grpcCodeOf, UNAVAILABLE } from './grpc-codes.ts';
import { section, type Warn } from './reading.ts';

type Timeouts = ServiceSettings['timeouts'];
type Retries = ServiceSettings['retries'];

const CLASSIFIERS = [
  'nonRetryable5XX',
  'retryableRead5XX',
  'retryableIdempotent5XX',
  'retryableAll5XX',
  'allSuccessful',
] as const satisfies readonly Classifier[];
const MAX_ATTEMPTS = 100;
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_CODES = 16;
const MAX_PER_SECOND = 1_000_000;
/** As Finagle's budgets: what was deposited is forgotten after this time. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 60_000;
const MAX_RATIO = 10;

export function readTimeouts(fields: Fields, warn: Warn): Timeouts {
  const defaults = DEFAULT_SERVICE_SETTINGS.timeouts;
  const perTryNode = optional(fields, 'perTry');
  const idleNode = optional(fields, 'idle');
  const totalMs = readDuration(optional(fields, 'total')) ?? defaults.totalMs;
  const perTryMs = readDuration(perTryNode) ?? defaults.perTryMs;
  const idleMs = readDuration(idleNode) ?? defaults.idleMs;
  if (totalMs > 0 && perTryMs > totalMs) perTryNode?.problem("'perTry' is longer than 'total'");
  if (idleNode !== undefined && idleMs > 0 && perTryMs > idleMs)
    warn(idleNode, "'idle' is shorter than 'perTry': attempts end when nothing has moved for that long");
  return { totalMs, perTryMs, idleMs };
}

export function readRetries(fields: Fields, warn: Warn): Retries {
  const defaults = DEFAULT_SERVICE_SETTINGS.retries;
  const classifierNode = optional(fields, 'classifier');
  const codesNode = optional(fields, 'grpcCodes');
  const attemptsNode = optional(fields, 'attempts');
  const given = readClassifier(classifierNode);
  const classifier = given ?? defaults.classifier;
  const retriesAnything = classifier.startsWith('retryable');
  const codes = readList(codesNode, { max: MAX_CODES, what: 'codes' }, readGrpcCode);
  // Linkerd: what is tried again of HTTP by its classifier is, of gRPC, UNAVAILABLE.
  const grpcCodes =
    codesNode !== undefined
      ? [...new Set(codes)].sort((a, b) => a - b)
      : given !== undefined && retriesAnything
        ? [UNAVAILABLE]
        : defaults.grpcCodes;
  const attempts = attemptsNode?.integer(0, MAX_ATTEMPTS) ?? defaults.attempts;
  if (attemptsNode !== undefined && attempts > 0 && !retriesAnything && grpcCodes.length === 0)
    warn(attemptsNode, `${classifier} lets no response be tried again: only requests without a response are`);
  return {
    classifier,
    grpcCodes,
    attempts,
    backoff: section(fields, 'backoff', readBackoff) ?? defaults.backoff,
    bodyBytes: readByteSize(optional(fields, 'bodyLimit'), MAX_BODY_BYTES) ?? defaults.bodyBytes,
    budget: section(fields, 'budget', budget => readBudget(budget, warn)) ?? defaults.budget,
  };
}

/** Linkerd's names: `io.l5d.http.retryableRead5XX`, `io.l5d.h2.retryableRead5XX`, or the last part alone. */
function readClassifier(node: ConfigNode | undefined): Classifier | undefined {
  const short = (text: string) => text.replace(/^io\.l5d\.(?:http|h2)\./, '');
  const text = checked(node, name => {
    if (/(^|\.)grpc\./.test(name)) return `'${name}': give 'grpcCodes' instead, for example [UNAVAILABLE]`;
    const known = CLASSIFIERS.some(each => each === short(name));
    return known ? undefined : `'${name}' is not one of ${CLASSIFIERS.join(', ')}`;
  });
  return CLASSIFIERS.find(each => text !== undefined && each === short(text));
}

function readGrpcCode(node: ConfigNode): number | undefined {
  const { value } = node;
  const code = typeof value === 'string' || typeof value === 'number' ? grpcCodeOf(value) : undefined;
  if (code === undefined)
    node.problem('a gRPC status is expected here: a name such as UNAVAILABLE, or a number from 1 to 16');
  return code;
}

function readBackoff(fields: Fields): Retries['backoff'] | undefined {
  const kind = fields.need('kind')?.oneOf(['constant', 'jittered']);
  if (kind === undefined) {
    for (const name of ['duration', 'min', 'max']) fields.get(name);
    return undefined;
  }
  if (kind === 'constant') {
    const ms = readDuration(fields.need('duration')) ?? 0;
    return { minMs: ms, maxMs: ms };
  }
  const minNode = fields.need('min');
  // From 0 no jitter ever grows.
  const minMs = readDuration(minNode, 1) ?? 0;
  const maxMs = readDuration(fields.need('max'), 1);
  if (maxMs !== undefined && minMs > maxMs) minNode?.problem("'min' is longer than 'max'");
  return { minMs, maxMs: maxMs ?? minMs };
}

function readBudget(fields: Fields, warn: Warn): Retries['budget'] {
  const defaults = DEFAULT_SERVICE_SETTINGS.retries.budget;
  const ratioNode = optional(fields, 'percentCanRetry');
  const ratio = ratioNode?.number(0, MAX_RATIO) ?? defaults.ratio;
  if (ratioNode !== undefined && ratio > 1)
    warn(ratioNode, `${ratio} means ${ratio} retries for each request; 0.2 is one for five`);
  const minPerSecond =
    optional(fields, 'minRetriesPerSecond')?.integer(0, MAX_PER_SECOND) ?? defaults.minPerSecond;
  if (ratio === 0 && minPerSecond === 0) warn(fields.node, 'a budget of nothing: no request is tried again');
  const ttlNode = optional(fields, 'ttl');
  const ttlMs = readDuration(ttlNode, MIN_TTL_MS) ?? defaults.ttlMs;
  if (ttlMs > MAX_TTL_MS) ttlNode?.problem('longer than 60s');
  return { ratio, minPerSecond, ttlMs };
}
