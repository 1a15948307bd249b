/**
 * How HTTP/2 goes wrong. Inside, a broken rule is thrown as a {@link Violation} and caught at the one place
 * that reads bytes; outside, users see an {@link H2Error} with the code on the wire and who caused it.
 */

import { type Culprit, MeshError } from '#base/errors.ts';
import { nameOfCode } from './constants.ts';

/** Who ended it: the other end, this end, or the connection below. */
export type Initiator = 'peer' | 'local' | 'transport';

const NEXT: Record<Initiator, string> = {
  peer: 'The peer broke or ended the HTTP/2 connection: its log should say why.',
  local: 'This end refused: look at limits and at the state of the connection.',
  transport: 'The connection below was lost: look at the network and at the peer process.',
};

export class H2Error extends MeshError {
  /** RFC 9113 §7. */
  readonly h2Code: number;
  readonly initiator: Initiator;

  constructor(h2Code: number, initiator: Initiator, message: string, by: Culprit, cause?: unknown) {
    super(`NM_H2_${nameOfCode(h2Code)}`, message, { by, next: NEXT[initiator], cause });
    this.h2Code = h2Code;
    this.initiator = initiator;
  }
}

/** A rule broken by the peer; ends the connection. Never leaves this folder. */
export class Violation extends Error {
  readonly h2Code: number;

  constructor(h2Code: number, message: string) {
    super(message);
    this.h2Code = h2Code;
  }
}
