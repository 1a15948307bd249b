/** Choosing an endpoint for one connection (L4) or one request (L7). */

export { EvenSequence } from './choice/even-sequence.ts';
export { hashText } from './choice/hash-text.ts';
export { WeightedShares } from './choice/weighted-shares.ts';
export { Endpoint, EndpointTable } from './endpoint.ts';
export { FailureAccrual } from './failure-accrual.ts';
export { PeakEwma } from './peak-ewma.ts';
export { type Branch, compileTree, NamePicker, type NoEndpoint, ReplicaPicker } from './picker.ts';
export { ClientTable, type ClientTableOptions } from './request/client-table.ts';
export { LoadedEndpoint, type RequestOutcome } from './request/loaded-endpoint.ts';
export { NameClient, type RequestBranch } from './request/name-client.ts';
export { ServiceClient } from './request/service-client.ts';
export { backoffMs } from './retry/backoff.ts';
export { classify, isFailure, type ResponseClass } from './retry/response-class.ts';
export { type BudgetSettings, RetryBudget } from './retry/retry-budget.ts';
