/** Who may do what at a pod of this node: judges connections and requests. Knows no sockets. */

export { Authorizer, type Caller, DENY_ALL, type Decision, PolicyUnreadable } from './authorizer.ts';
