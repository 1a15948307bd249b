/**
 * One captured or tunnelled connection from accept to close: what it counted, what was decided about it, and
 * its line in the access log. Also the relay's meter.
 *
 *   connecting ──establish──► relaying ──► ended
 *        └── refused, or broken off while connecting ──┘
 */

import { type Endpoint as Address, formatEndpoint } from '#base/net.ts';
import type { Authorizer, Caller, Decision } from '../../authorize/index.ts';
import type { Endpoint } from '../../balance/index.ts';
import { ConnectionRefused, type Reason } from '../failure.ts';
import type { Visit } from '../inbound/enter.ts';
import type { Direction, LocalPod, OpenConnection } from '../local-pod.ts';
import type { AccessEntry, Edge, EdgeTable, FlowLabels } from './flow.ts';
import { Relay, type RelayEnd, type RelayMeter } from './relay.ts';
import type { Side } from './side.ts';

/** What a connection needs from its worker. */
export interface ConnectionHost {
  /** Monotonic milliseconds. */
  now(): number;
  edges: EdgeTable;
  /** The access log; undefined when it is off. */
  log: ((entry: AccessEntry) => void) | undefined;
}

export interface ConnectionStart {
  direction: Direction;
  /** The pod whose listener accepted. */
  pod: LocalPod;
  source: Address;
  /** Destination `ip:port` as the client named it. */
  destination: string;
  /** Filled in while it is learnt who is at the other end. */
  labels: FlowLabels;
}

interface Judgement {
  pod: LocalPod;
  caller: Caller;
  decision: Decision;
}

export class Connection implements RelayMeter, OpenConnection, Visit {
  readonly start: ConnectionStart;
  attempts = 0;
  readonly #host: ConnectionHost;
  readonly #startedMs: number;
  #connectMs = 0;
  #sent = 0;
  #received = 0;
  #relay: Relay | undefined;
  #edges: readonly Edge[] = [];
  #judgement: Judgement | undefined;
  #endpoint: Endpoint | undefined;
  /** Why it was broken off. */
  #broken: Reason | undefined;

  constructor(host: ConnectionHost, start: ConnectionStart) {
    this.#host = host;
    this.start = start;
    this.#startedMs = host.now();
    start.pod.add(this, start.direction);
  }

  get acceptedBy(): LocalPod {
    return this.start.pod;
  }

  get source(): Address {
    return this.start.source;
  }

  get labels(): FlowLabels {
    return this.start.labels;
  }

  /**
   * Asks the destination's policies, and remembers who asked, so that they can be asked again.
   * @throws ConnectionRefused
   */
  judge(pod: LocalPod, caller: Caller): void {
    const decision = pod.authorizer.decide(caller);
    this.#judgement = { pod, caller, decision };
    if (pod !== this.start.pod) pod.add(this, 'inbound');
    if (caller.identity === '' && !pod.authorizer.plaintextAllowed(caller.port)) {
      throw new ConnectionRefused(
        'plaintext_refused',
        `${pod.who.workload} takes only mesh traffic on port ${caller.port}`,
      );
    }
    if (!decision.allowed)
      throw new ConnectionRefused('policy', `${decision.rule} refuses port ${caller.port}`);
  }

  stillAllowed(authorizer: Authorizer): boolean {
    const judgement = this.#judgement;
    if (judgement === undefined || judgement.pod.authorizer !== authorizer) return true;
    const { caller } = judgement;
    if (caller.identity === '' && !authorizer.plaintextAllowed(caller.port)) return false;
    judgement.decision = authorizer.decide(caller);
    return judgement.decision.allowed;
  }

  /** @throws ConnectionRefused when it was broken off meanwhile: what took time must ask before it goes on. */
  mustGoOn(): void {
    if (this.#broken !== undefined)
      throw new ConnectionRefused(this.#broken, 'ended while it still connected');
  }

  /** Both sides are connected: counts the opening and starts moving bytes. */
  establish(client: Side, upstream: Side, endpoint?: Endpoint): void {
    try {
      this.mustGoOn();
    } catch (error) {
      upstream.reset();
      throw error;
    }
    this.#connectMs = this.#host.now() - this.#startedMs;
    this.#endpoint = endpoint;
    if (endpoint !== undefined) endpoint.open += 1;
    this.#edges = this.#host.edges.flow(this.labels);
    for (const edge of this.#edges) edge.opened(this.#connectMs);
    this.#relay = new Relay(client, upstream, this);
    this.#relay.start();
  }

  /** Nothing was connected. */
  refused(error: ConnectionRefused): void {
    this.#broken = error.reason;
    this.#host.edges.refused(this.labels, error.reason);
    this.#end('refused', error.message);
  }

  /** Somebody else carries it from now on: nothing is counted or logged here. */
  handedOver(): void {
    this.#leave();
  }

  breakOff(reason: Reason): void {
    this.#broken ??= reason;
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
    if (this.#broken !== undefined) this.#host.edges.refused(this.labels, this.#broken);
    this.#end(end, undefined);
  }

  #end(end: RelayEnd | 'refused', error: string | undefined): void {
    this.#leave();
    this.#host.log?.(this.#entry(end, error));
  }

  #leave(): void {
    const { pod, direction } = this.start;
    pod.remove(this, direction);
    this.#judgement?.pod.remove(this, 'inbound');
  }

  #entry(end: RelayEnd | 'refused', error: string | undefined): AccessEntry {
    const { direction, source, destination, labels } = this.start;
    const decision = this.#judgement?.decision;
    return {
      direction,
      source: {
        address: formatEndpoint(source.ip, source.port),
        workload: labels.sourceWorkload,
        identity: labels.sourceIdentity,
      },
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
      connectMs: microseconds(this.#connectMs),
      durationMs: microseconds(this.#host.now() - this.#startedMs),
      attempts: this.attempts,
      end,
      ...(this.#broken === undefined ? {} : { reason: this.#broken }),
      ...(error === undefined ? {} : { error }),
      ...(decision === undefined ? {} : { rule: decision.rule }),
      ...(decision === undefined || decision.audits.length === 0 ? {} : { audits: decision.audits }),
    };
  }
}

/** Milliseconds with three decimals. */
function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
