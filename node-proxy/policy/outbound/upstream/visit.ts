/**
 * A connection that the client's node makes for requests: who it is for, and what ends it before its time. A pod
 * of this node that does not ask for HTTP judges it as a whole, like any connection.
 */

import type { Authorizer, Caller } from '../../../authorize/index.ts';
import type { FlowLabels } from '../../../tunnel/index.ts';
import {
  ConnectionRefused,
  type LocalPod,
  type OpenConnection,
  type Outgoing,
  type Reason,
} from '../../../tunnel/index.ts';

export class UpstreamVisit implements Outgoing, OpenConnection {
  readonly acceptedBy: LocalPod;
  readonly source: { ip: string; port: number };
  readonly labels: FlowLabels;
  readonly requests = true;
  /** Ends it, once it is made. */
  onBroken: ((reason: Reason) => void) | undefined;
  #judgement: { pod: LocalPod; caller: Caller } | undefined;
  #broken: Reason | undefined;

  constructor(pod: LocalPod, source: { ip: string; port: number }) {
    this.acceptedBy = pod;
    this.source = source;
    this.labels = {
      reporter: 'source',
      sourceWorkload: pod.who.workload,
      sourceIdentity: pod.who.identity,
      destinationWorkload: '',
      destinationIdentity: '',
      // Requests to several services may share it.
      destinationService: '',
      security: '',
    };
    pod.add(this, 'outbound');
  }

  judge(pod: LocalPod, caller: Caller): void {
    this.#judgement = { pod, caller };
    pod.add(this, 'inbound');
    const decision = pod.authorizer.decide(caller);
    if (!decision.allowed)
      throw new ConnectionRefused('policy', `${decision.rule} refuses port ${caller.port}`);
  }

  mustGoOn(): void {
    if (this.#broken !== undefined)
      throw new ConnectionRefused(this.#broken, 'ended while it still connected');
  }

  stillAllowed(authorizer: Authorizer): boolean {
    const judgement = this.#judgement;
    if (judgement === undefined || judgement.pod.authorizer !== authorizer) return true;
    return authorizer.decide(judgement.caller).allowed;
  }

  breakOff(reason: Reason): void {
    this.#broken ??= reason;
    this.onBroken?.(reason);
  }

  /** The connection is gone. */
  leave(): void {
    this.acceptedBy.remove(this, 'outbound');
    this.#judgement?.pod.remove(this, 'inbound');
  }
}
