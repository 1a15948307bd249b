/** A request's line in the access log: what is said on either node of the request itself. */

import type { Outcome } from './exchange/plan.ts';
import type { RequestEntry } from './flow.ts';
import { traceOf } from './trace.ts';
import type { CarriedRequest } from './view.ts';

/** What each node says in its own way. */
type Told = Omit<
  RequestEntry,
  keyof Outcome | 'method' | 'path' | 'authority' | 'userAgent' | 'requestId' | 'trace'
>;

export function entryOf(view: CarriedRequest, outcome: Outcome, told: Told): RequestEntry {
  return {
    ...told,
    ...outcome,
    method: view.method,
    path: view.path,
    authority: view.authority,
    userAgent: view.header('user-agent') ?? '',
    requestId: view.header('x-request-id') ?? '',
    trace: traceOf(name => view.header(name)),
  };
}
