/** A request that the proxy answers itself, instead of the application. */

import { MeshError } from '#base/errors.ts';
import { ConnectionRefused, type Reason } from '../../tunnel/index.ts';
import { grpcStatusOf } from './grpc.ts';
import { type HttpReason, REASONS } from './reasons.ts';

export class HttpRefusal extends MeshError {
  readonly reason: HttpReason;
  /** What the client is answered, 400 to 599. */
  readonly status: number;

  /**
   * @param message what happened, for the client as well as for the log: no secrets
   * @param cause if it says who has to act and how, that counts instead of what the reason says
   * @param status instead of the reason's own
   */
  constructor(reason: HttpReason, message: string, cause?: unknown, status?: number) {
    const facts = REASONS[reason];
    const known = cause instanceof MeshError ? cause : facts;
    super(`NM_HTTP_${reason.toUpperCase()}`, message, {
      by: known.by,
      next: known.next ?? facts.next,
      cause,
    });
    this.reason = reason;
    this.status = status ?? facts.status;
  }

  /** What clients of gRPC are told instead. */
  get grpcStatus(): number {
    return REASONS[this.reason].grpc ?? grpcStatusOf(this.status);
  }

  /** Whatever kept a request from being carried. */
  static of(error: unknown): HttpRefusal {
    if (error instanceof HttpRefusal) return error;
    if (error instanceof ConnectionRefused) {
      return new HttpRefusal(REASON_OF[error.reason] ?? 'connect_failed', error.message, error);
    }
    // What it says may be meant for us alone; the log has it.
    if (error instanceof MeshError) return new HttpRefusal('internal', error.code, error);
    return new HttpRefusal('internal', 'the proxy failed', error);
  }
}

/** What a refused connection means to the request that needed it; others are `connect_failed`. */
const REASON_OF: Readonly<Partial<Record<Reason, HttpReason>>> = {
  connection_limit: 'overloaded',
  stream_limit: 'overloaded',
  loop: 'loop',
  unresolved: 'unresolved',
  unserved_port: 'unbound',
  unbound: 'unbound',
  no_endpoints: 'no_endpoints',
  binding_failed: 'binding_failed',
  policy: 'policy',
  policy_changed: 'policy',
  plaintext_refused: 'policy',
  no_policy_worker: 'internal',
  draining: 'draining',
};
