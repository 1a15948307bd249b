/**
 * Answers of the proxy itself, ready for either protocol: what happened and what to check, in words, in `l5d-err` as
 * Linkerd sends it, and for gRPC in a response that consists of trailers only.
 *
 * Invariant: all fields are printable ASCII and bounded, whatever a client sent that shows up in a message.
 */

import { grpcMessage } from './grpc.ts';
import { REASONS } from './reasons.ts';
import { HttpRefusal } from './refusal.ts';

export interface DirectReply {
  readonly status: number;
  /** -1: not gRPC. */
  readonly grpcStatus: number;
  /** Names in lower case; without `:status` and what frames the body. */
  readonly fields: readonly (readonly [string, string])[];
  /** To be sent as UTF-8, or left out in answer to HEAD; '': the fields are all there is. */
  readonly body: string;
}

/** An answer that is no failure. */
export interface Elsewhere {
  readonly status: number;
  /** As redirectLocation makes it. */
  readonly location: string;
}

/** @param grpc the request was gRPC, see {@link isGrpc} */
export function replyTo(answer: HttpRefusal | Elsewhere, grpc: boolean): DirectReply {
  if (!(answer instanceof HttpRefusal)) {
    return { status: answer.status, grpcStatus: -1, fields: [['location', answer.location]], body: '' };
  }
  const { reason, status } = answer;
  const message = bounded(answer.message);
  const error: [string, string] = ['l5d-err', l5dErr(`${reason}: ${message}`)];
  if (grpc) {
    const { grpcStatus } = answer;
    return {
      status: 200,
      grpcStatus,
      fields: [
        ['content-type', 'application/grpc'],
        ['grpc-status', String(grpcStatus)],
        ['grpc-message', grpcMessage(`${reason}: ${message}`)],
        error,
      ],
      body: '',
    };
  }
  return {
    status,
    grpcStatus: -1,
    fields: [
      ['content-type', 'text/plain; charset=utf-8'],
      // The message may quote the request.
      ['x-content-type-options', 'nosniff'],
      error,
    ],
    body: `${status} ${reason}: ${message}\n${answer.next ?? REASONS[reason].next}\n`,
  };
}

/**
 * Form-encoded as Java does, on one line. Linkerd cuts it where the largest allowed head ends; clients count the
 * whole head, so it ends earlier here.
 */
function l5dErr(text: string): string {
  const encoded = new URLSearchParams([['', text]]).toString().slice(1);
  if (encoded.length <= MAX_ENCODED) return encoded;
  // Not within an escape.
  return encoded.slice(0, MAX_ENCODED).replace(/%[0-9A-F]?$/, '');
}

function bounded(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`;
}

/** In characters; encoded, one can become nine. */
const MAX_MESSAGE = 1_000;
const MAX_ENCODED = 2_000;
