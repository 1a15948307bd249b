/**
 * How HTTP/1.1 goes wrong: a message that breaks a rule, or that two readers could understand differently. The
 * reasons are stable words for metrics and logs; the status is what the caller is told. After one, the
 * connection can't be used any more: where the next message begins is unknown.
 */

import { MeshError } from '#base/errors.ts';

/** Reasons whose status is not 400 when they are found in a request. */
const STATUS = {
  connect: 501,
  unsupported_transfer_encoding: 501,
  unsupported_version: 505,
  line_too_long: 414,
  field_too_long: 431,
  header_too_large: 431,
  too_many_headers: 431,
} as const;

export type Http1Reason =
  | keyof typeof STATUS
  | 'bare_cr'
  | 'bare_lf'
  | 'obs_fold'
  | 'space_before_colon'
  | 'bad_name'
  | 'bad_value'
  | 'ambiguous_name'
  | 'bad_method'
  | 'bad_target'
  | 'bad_version'
  | 'bad_status_line'
  | 'bad_status'
  | 'missing_host'
  | 'duplicate_host'
  | 'bad_host'
  | 'host_mismatch'
  | 'cl_and_te'
  | 'bad_content_length'
  | 'duplicate_content_length'
  | 'duplicate_transfer_encoding'
  | 'te_in_1_0'
  | 'bad_connection'
  | 'forbidden_connection_option'
  | 'bad_upgrade'
  | 'bad_chunk_size'
  | 'chunk_extension'
  | 'bad_chunk_end'
  | 'bad_trailer'
  | 'forbidden_trailer'
  | 'trailer_too_large'
  | 'unexpected_body'
  | 'unexpected_upgrade'
  | 'bad_interim'
  | 'unsolicited_response';

export type MessageSide = 'request' | 'response';

export class Http1Error extends MeshError {
  /** What the caller is answered: 4xx or 5xx for its own request, 502 for a response of an upstream. */
  readonly status: 400 | 414 | 431 | 501 | 502 | 505;
  readonly reason: Http1Reason;

  constructor(side: MessageSide, reason: Http1Reason, message: string) {
    super(`NM_HTTP1_${reason.toUpperCase()}`, `malformed HTTP/1.1 ${side}: ${message}`, {
      by: side === 'request' ? 'client' : 'upstream',
      next:
        side === 'request'
          ? 'The client must send what RFC 9112 allows; the connection was closed before the application saw it.'
          : 'The application must answer what RFC 9112 allows; what it sent was not passed on.',
    });
    this.status = side === 'response' ? 502 : reason in STATUS ? STATUS[reason as keyof typeof STATUS] : 400;
    this.reason = reason;
  }
}
