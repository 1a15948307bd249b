/**
 * Which responses are failures, and which of those may be tried again: Linkerd's response classifiers for HTTP
 * (`io.l5d.http.*`) and gRPC (`io.l5d.h2.grpc.*`).
 *
 * Of HTTP only 5xx, or no response at all, is a failure. Of gRPC only the codes whose HTTP twin is 5xx are: here
 * we leave Linkerd, for which every code but 0 is a failure; with it five NOT_FOUND in a row eject a healthy
 * endpoint, which HTTP's 404 never does.
 */

import type { Classifier } from '#api';

export type ResponseClass = 'success' | 'failure' | 'retryable';

/** UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS (HTTP twins: google.rpc.Code). */
const GRPC_FAILURES = (1 << 2) | (1 << 4) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 15);

/**
 * Does the response speak against the endpoint that gave it?
 * @param status 0: none came.
 * @param grpcStatus -1: not gRPC, or none came.
 */
export function isFailure(classifier: Classifier, status: number, grpcStatus: number): boolean {
  if (status === 0) return true;
  if (classifier === 'allSuccessful') return false;
  if (grpcStatus >= 0) return grpcStatus < 32 && (GRPC_FAILURES & (1 << grpcStatus)) !== 0;
  return status >= 500;
}

/**
 * @param grpcCodes codes that may be tried again whatever the classifier says, failures or not.
 * @param method as sent.
 * @param status as {@link isFailure}.
 * @param marked the response says `l5d-retryable: true`: the server's side knows that nothing was done.
 */
export function classify(
  classifier: Classifier,
  grpcCodes: readonly number[],
  method: string,
  status: number,
  grpcStatus: number,
  marked = false,
): ResponseClass {
  if (grpcStatus > 0 && grpcCodes.includes(grpcStatus)) return 'retryable';
  if (!isFailure(classifier, status, grpcStatus)) return 'success';
  if (marked) return 'retryable';
  // What gRPC may repeat is told by its codes: its method is always POST.
  if (grpcStatus >= 0) return 'failure';
  return mayRepeat(classifier, method) ? 'retryable' : 'failure';
}

function mayRepeat(classifier: Classifier, method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'TRACE':
      return classifier !== 'nonRetryable5XX' && classifier !== 'allSuccessful';
    case 'PUT':
    case 'DELETE':
      return classifier === 'retryableIdempotent5XX' || classifier === 'retryableAll5XX';
    case 'POST':
    case 'PATCH':
      return classifier === 'retryableAll5XX';
    default:
      return false;
  }
}
