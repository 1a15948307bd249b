/** Whom an exchange of HTTP/1.1 belongs to. */

import type { Redirect } from '../exchange/plan.ts';
import type { HttpRefusal } from '../reply/index.ts';
import type { Brake } from '../wire/brake.ts';
import type { Wire } from '../wire/wire.ts';

/** The client's connection, as its exchange needs it. */
export interface ExchangeOwner {
  readonly wire: Wire;
  readonly brake: Brake;
  /** Whether the client's connection can carry another request after this one. */
  readonly persistent: boolean;
  /** The request has been read to its end. */
  readonly requestDone: boolean;
  /** Answers itself. @returns the status. */
  answer(answer: HttpRefusal | Redirect): number;
  /** The response was written. @param persistent another request may follow. */
  responded(persistent: boolean): void;
  /** Both directions are plain bytes from now on. */
  becomeTunnel(): void;
  /** The application has ended the tunnel. */
  tunnelEnded(): void;
  /** Nothing sensible can be said any more. */
  cut(): void;
}
