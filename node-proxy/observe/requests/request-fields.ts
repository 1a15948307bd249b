/**
 * The fields of a line of the request log, by name. No field holds a cookie, an authorization, or any other header
 * but the user agent and those that are made to be logged; the query only where it is asked for, as people put
 * secrets there.
 */

import type { RequestEntry } from '../../policy/flow.ts';

/** Longer texts are cut: a line has a size that the client can't choose. */
const MAX_TEXT = 1_024;

type Value = string | number | boolean | readonly string[] | undefined;

/** What is undefined, empty, or says nothing is left out of the line. */
const FIELDS = {
  direction: entry => entry.direction,
  source: entry => entry.source,
  sourceWorkload: entry => entry.labels.sourceWorkload,
  sourceIdentity: entry => entry.labels.sourceIdentity,
  destination: entry => entry.destination,
  destinationWorkload: entry => entry.labels.destinationWorkload,
  destinationIdentity: entry => entry.labels.destinationIdentity,
  destinationService: entry => entry.labels.destinationService,
  route: entry => entry.labels.route,
  version: entry => entry.labels.version,
  security: entry => entry.labels.security,
  endpoint: entry => entry.endpoint,
  method: entry => entry.method,
  path: entry => beforeQuery(entry.path),
  query: entry => queryOf(entry.path),
  authority: entry => entry.authority.slice(entry.authority.lastIndexOf('@') + 1),
  status: entry => entry.status,
  grpcStatus: entry => (entry.grpcStatus < 0 ? undefined : entry.grpcStatus),
  requestBytes: entry => entry.requestBytes,
  responseBytes: entry => entry.responseBytes,
  firstByteMs: entry => (entry.firstByteMs > 0 ? microseconds(entry.firstByteMs) : undefined),
  durationMs: entry => microseconds(entry.durationMs),
  attempts: entry => entry.attempts,
  name: entry => entry.name,
  boundId: entry => entry.boundId,
  userAgent: entry => entry.userAgent,
  requestId: entry => entry.requestId,
  traceId: entry => entry.trace?.traceId,
  spanId: entry => entry.trace?.spanId,
  sampled: entry => entry.trace?.sampled,
  rule: entry => entry.rule,
  audits: entry => entry.audits,
  reason: entry => entry.reason,
} satisfies Record<string, (entry: RequestEntry) => Value>;

export type RequestField = keyof typeof FIELDS;

export const REQUEST_FIELDS = Object.keys(FIELDS) as RequestField[];
export const DEFAULT_REQUEST_FIELDS: readonly RequestField[] = REQUEST_FIELDS.filter(
  name => name !== 'query',
);

/** @returns writes the fields of an entry as the inner part of a JSON object, each after a comma. */
export function fieldWriter(names: readonly RequestField[]): (entry: RequestEntry) => string {
  const fields = names.map(name => ({
    key: `,"${name}":`,
    read: FIELDS[name] as (entry: RequestEntry) => Value,
  }));
  return entry => {
    let text = '';
    for (const { key, read } of fields) {
      const value = read(entry);
      if (typeof value === 'number') text += key + (Number.isFinite(value) ? value : 'null');
      else if (typeof value === 'string') {
        if (value !== '') text += key + JSON.stringify(value.length > MAX_TEXT ? cut(value) : value);
      } else if (typeof value === 'boolean') text += key + value;
      else if (value !== undefined && value.length > 0) text += key + JSON.stringify(value);
    }
    return text;
  };
}

function cut(text: string): string {
  return `${text.slice(0, MAX_TEXT)}…`;
}

function beforeQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}

function queryOf(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? '' : path.slice(query + 1);
}

/** Milliseconds with three decimals. */
function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
