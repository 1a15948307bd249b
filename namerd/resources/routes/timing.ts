/** `timeouts` (GEP-1742) and `retry` (GEP-1731) of an HTTPRoute's rule. */

import { DEFAULT_SERVICE_SETTINGS, type RouteRetry } from '#api';
import type { ConfigNode } from '#base/config.ts';
import { readDuration } from '../values/duration.ts';
import { optional, readList } from '../values/fields.ts';
import type { RouteReading } from './reading.ts';

const MAX_CODES = 200;
const MAX_ATTEMPTS = 100;

export interface RouteTimeouts {
  requestMs: number | undefined;
  backendRequestMs: number | undefined;
}

/** Zero is no timeout. */
export function readTimeouts(node: ConfigNode | undefined): RouteTimeouts {
  if (node === undefined) return { requestMs: undefined, backendRequestMs: undefined };
  const fields = node.fields();
  const requestMs = readDuration(optional(fields, 'request'));
  const backendNode = optional(fields, 'backendRequest');
  const backendRequestMs = readDuration(backendNode);
  fields.finish();
  if (requestMs !== undefined && requestMs > 0 && (backendRequestMs ?? 0) > requestMs)
    backendNode?.problem("'backendRequest' is longer than 'request', which it is a part of");
  return { requestMs, backendRequestMs };
}

export function readRetry(node: ConfigNode | undefined, reading: RouteReading): RouteRetry | undefined {
  if (node === undefined) return undefined;
  const fields = node.fields();
  const codesNode = optional(fields, 'codes');
  const codes = readList(codesNode, { max: MAX_CODES, what: 'codes' }, item => item.integer(400, 599));
  const { attempts, backoff } = DEFAULT_SERVICE_SETTINGS.retries;
  const retry: RouteRetry = {
    codes: [...new Set(codes)],
    attempts: optional(fields, 'attempts')?.integer(0, MAX_ATTEMPTS) ?? attempts,
    backoffMs: readDuration(optional(fields, 'backoff')) ?? backoff.minMs,
  };
  fields.finish();
  if (codesNode === undefined && retry.attempts > 0)
    reading.warn(node, "without 'codes' only requests without a response are tried again");
  return retry;
}
