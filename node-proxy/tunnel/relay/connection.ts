/**
 * One captured or tunnelled connection from accept to close: what it counted, what was decided about it, and
 * its line in the access log. Also the relay's meter.
 */

import type { Endpoint } from '../../balance/endpoint.ts';
import type { Authorizer, Caller, Decision } from '../authorize.ts';
import type { ConnectionRefused, Reason } from '../failure.ts';
import type { LocalPod, OpenConnection } from '../local-pod.ts';
import type { AccessEntry, Edge, EdgeTable, FlowLabels } from './flow.ts';
import { Relay, type RelayEnd, type RelayMeter } from './relay.ts';
import type { Side } from './side.ts';

/** What a connection needs from its worker. */
export interface ConnectionHost {
  now(): number;
  edges: EdgeTable;
  /** The access log; undefined when it is off. */
  log: ((entry: AccessEntry) => void) | undefined;
}

export interface ConnectionStart {
  direction: 'outbound' | 'inbound';
  /** The pod whose listener accepted. */
  pod: LocalPod;
  /** Source `ip:port`. */
  source: string;
  /** Destination `ip:port` as the client named it. */
  destination: string;
}

export class Connection implements RelayMeter, OpenConnection {
  readonly start: ConnectionStart;
  readonly #host: ConnectionHost;
  readonly #startedMs: number;
  #connectMs = 0;
  #sent = 0;
  #received = 0;
  #relay: Relay | undefined;
  #edges: Edge[] = [];
  #labels: FlowLabels | undefined;
  #judged: { caller: Caller; decision: Decision; pod: LocalPod; plaintext: boolean } | undefined;
  #endpoint: Endpoint | undefined;
  #reason: Reason | undefined;
  attempts = 0;

  constructor(host: ConnectionHost, start: ConnectionStart) {
    this.#host = host;
    this.start = start;
    this.#startedMs = host.now();
    start.pod.add(this);
  }

  /** Notes the decision of the destination's policies, so that it can be taken again when they change. */
  judged(pod: LocalPod, caller: Caller, decision: Decision, plaintext: boolean): void {
    this.#judged = { caller, decision, pod, plaintext };
    if (pod !== this.start.pod) pod.add(this);
  }

  stillAllowed(authorizer: Authorizer): boolean {
    const judged = this.#judged;
    if (judged === undefined || judged.pod.authorizer !== authorizer) return true;
    if (judged.plaintext && !authorizer.plaintextAllowed(judged.caller.port)) return false;
    const decision = authorizer.decide(judged.caller);
    judged.decision = decision;
    return decision.allowed;
  }

  /** Both sides are connected: counts the opening and starts moving bytes. */
  establish(client: Side, upstream: Side, labels: FlowLabels, endpoint?: Endpoint): void {
    this.#labels = labels;
    this.#connectMs = this.#host.now() - this.#startedMs;
    this.#endpoint = endpoint;
    if (endpoint !== undefined) endpoint.open += 1;
    this.#edges = this.#host.edges.flow(labels);
    for (const edge of this.#edges) edge.opened(this.#connectMs);
    this.#relay = new Relay(client, upstream, this);
    this.#relay.start();
  }

  /** Nothing was connected. */
  refused(error: ConnectionRefused, labels: FlowLabels): void {
    this.#labels = labels;
    this.#reason = error.reason;
    this.#host.edges.refused(labels, error.reason);
    this.#end('refused', error.message);
  }

  breakOff(reason: Reason): void {
    this.#reason = reason;
    this.#relay?.breakOff();
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    for (const edge of this.#edges) edge.sentBytes += bytes;
  }

  received(bytes: number): void {
    this.#received += bytes;
    for (const edge of this.#edges) edge.receivedBytes += bytes;
  }

  done(end: RelayEnd): void {
    for (const edge of this.#edges) edge.closed();
    if (this.#endpoint !== undefined) this.#endpoint.open -= 1;
    if (this.#reason !== undefined && this.#labels !== undefined) {
      this.#host.edges.refused(this.#labels, this.#reason);
    }
    this.#end(end, undefined);
  }

  #end(end: RelayEnd | 'refused', error: string | undefined): void {
    const { direction, pod, source, destination } = this.start;
    pod.remove(this);
    this.#judged?.pod.remove(this);
    const labels = this.#labels;
    const { log } = this.#host;
    if (labels === undefined || log === undefined) return;
    log({
      direction,
      source: { address: source, workload: labels.sourceWorkload, identity: labels.sourceIdentity },
      destination: {
        address: destination,
        ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint.replica.address }),
        service: labels.destinationService,
        workload: labels.destinationWorkload,
        identity: labels.destinationIdentity,
      },
      security: labels.security,
      sentBytes: this.#sent,
      receivedBytes: this.#received,
      connectMs: Math.round(this.#connectMs * 1000) / 1000,
      durationMs: Math.round((this.#host.now() - this.#startedMs) * 1000) / 1000,
      attempts: this.attempts,
      end,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(error === undefined ? {} : { error }),
      ...(this.#judged === undefined ? {} : { rule: this.#judged.decision.rule }),
      ...(this.#judged === undefined || this.#judged.decision.audits.length === 0
        ? {}
        : { audits: this.#judged.decision.audits }),
    });
  }
}
