/** Choosing an endpoint for one connection. */

export { Endpoint, EndpointTable } from './endpoint.ts';
export { FailureAccrual } from './failure-accrual.ts';
export { PeakEwma } from './peak-ewma.ts';
export { type Branch, compileTree, NamePicker, type NoEndpoint, ReplicaPicker } from './picker.ts';
