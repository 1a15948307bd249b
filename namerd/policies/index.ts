/** Policies in force: which hold where, and what each node is told. */

export { type HttpAsked, NodeStates } from './node-states.ts';
export { ObjectStatuses } from './object-statuses.ts';
export { DEFAULT_TRANSPORT, PolicyIndex } from './policy-index.ts';
export { policyStatus } from './policy-status.ts';
