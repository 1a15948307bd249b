/** Who calls a pod that judges requests, on one connection: what all its requests have in common. */

import type { Authorizer, Caller } from '../../authorize/index.ts';
import type { LocalPod, OpenConnection, Reason, Visit } from '../../tunnel/index.ts';
import { ConnectionRefused } from '../../tunnel/index.ts';
import type { InboundPlan } from './plan.ts';

export class Visitor implements OpenConnection, Visit {
  /** It is counted when it enters. */
  readonly acceptedBy = undefined;
  readonly #pod: LocalPod;
  /** Requests under way, to be judged again when policies change. */
  readonly plans = new Set<InboundPlan>();
  onBroken: ((reason: Reason) => void) | undefined;
  #broken: Reason | undefined;

  constructor(pod: LocalPod) {
    this.#pod = pod;
    pod.add(this, 'inbound');
  }

  /** Each request is judged by itself; here it only matters whether plaintext is taken at all. */
  judge(pod: LocalPod, { identity, port }: Caller): void {
    if (identity === '' && !pod.authorizer.plaintextAllowed(port)) {
      throw new ConnectionRefused(
        'plaintext_refused',
        `${pod.who.workload} takes only mesh traffic on port ${port}`,
      );
    }
  }

  mustGoOn(): void {
    if (this.#broken !== undefined)
      throw new ConnectionRefused(this.#broken, 'ended while it still connected');
  }

  stillAllowed(authorizer: Authorizer): boolean {
    for (const plan of this.plans) if (!plan.stillAllowed(authorizer)) return false;
    return true;
  }

  breakOff(reason: Reason): void {
    this.#broken ??= reason;
    this.onBroken?.(reason);
  }

  leave(): void {
    this.#pod.remove(this, 'inbound');
  }
}
