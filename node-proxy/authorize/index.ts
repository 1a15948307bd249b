/** Who may do what at a pod of this node: judges connections and requests. Knows no sockets. */

export { Authorizer, DENY_ALL } from './authorizer.ts';
export type { Caller, Decision, RequestFacts } from './caller.ts';
export { normalHost } from './normal-host.ts';
export { normalPath } from './normal-path.ts';
export { PolicyUnreadable, sourceTest } from './source.ts';
