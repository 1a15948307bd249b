/** One tunnel worker: listens for the pods that it serves, relays, and hands over what asks for HTTP. */

import { formatEndpoint } from '#base/net.ts';
import { closeFd } from '../kernel/index.ts';
import {
  type FlowLabels,
  type HandedConnection,
  type LocalPod,
  PodDoors,
  type Reason,
  type WorkerContext,
} from '../tunnel/index.ts';
import { HandOvers } from './hand-over.ts';
import type { PodFds, ToWorker } from './messages.ts';
import { WorkerCore, type WorkerParts } from './worker-core.ts';

/** Peers may have chosen the pod's address just before they heard. */
const QUIET_MS = 2_000;

export class TunnelWorker {
  readonly core: WorkerCore;
  readonly #parts: WorkerParts;
  readonly #handOvers: HandOvers;

  constructor(parts: WorkerParts) {
    const { start, send, clock } = parts;
    this.#parts = parts;
    this.#handOvers = new HandOvers({
      policyWorkers: start.policyWorkers,
      podOf: id => this.core.pods.get(id),
      need: worker => send({ type: 'need-policy', worker }),
      refused: (connection, pod, reason) => refused(this.core.context, connection, pod, reason),
      now: () => clock.monotonic(),
    });
    this.core = new WorkerCore(parts, {
      quietMs: QUIET_MS,
      beat: () => this.#handOvers.sweep(),
      left: pod => this.#handOvers.drop(pod),
      waiting: () => this.#handOvers.waiting,
      report: () => ({
        handedOver: { total: this.#handOvers.total, waiting: this.#handOvers.waiting },
        names: [],
      }),
      close: () => this.#handOvers.close(),
    });
    this.core.context.handOver = this.#handOvers.hand;
    send({ type: 'started' });
  }

  handle(message: ToWorker): void {
    this.core.guard(message, () => {
      switch (message.type) {
        case 'serve':
          return this.#serve(message.pod, message.fds);
        case 'policy-port':
          return this.#handOvers.attach(message.worker, message.port);
        case 'policy-gone':
          return this.#handOvers.gone(message.worker);
        case 'tunnel-port':
          return message.port.close();
        case 'pods':
          this.core.follow(message);
          return this.#prepare();
        default:
          return this.core.follow(message);
      }
    });
  }

  get openConnections(): number {
    return this.core.pods.openConnections;
  }

  /** Refusals since the start, by reason. */
  refusals(): Partial<Record<Reason, number>> {
    return this.core.refusals();
  }

  close(): void {
    this.core.close();
  }

  #serve(id: string, fds: PodFds): void {
    const { send } = this.#parts;
    const pod = this.core.pods.get(id);
    try {
      if (pod === undefined) throw new Error(`pod ${id} was not announced before it was to be served`);
      const doors = new PodDoors(pod, this.core.context);
      doors.listen(fds);
      this.core.doors.set(id, doors);
      this.#prepare();
      send({ type: 'serving', pod: id });
    } catch (error) {
      for (const fd of Object.values(fds)) closeFd(fd);
      send({ type: 'serve-failed', pod: id, message: String(error) });
    }
  }

  /** The policy workers of pods that ask for HTTP start before their first connection comes. */
  #prepare(): void {
    for (const { pod } of this.core.doors.values()) if (pod.http !== undefined) this.#handOvers.prepare(pod);
  }
}

/** Counts and logs a connection that is reset because nobody understands HTTP for it. */
function refused(
  { edges, log }: WorkerContext,
  { door, source, original }: HandedConnection,
  pod: LocalPod | undefined,
  reason: Reason,
): void {
  const outbound = door === 'outbound';
  const [workload, identity] = [pod?.who.workload ?? '', pod?.who.identity ?? ''];
  const labels: FlowLabels = {
    reporter: outbound ? 'source' : 'destination',
    sourceWorkload: outbound ? workload : '',
    sourceIdentity: outbound ? identity : '',
    destinationWorkload: outbound ? '' : workload,
    destinationIdentity: outbound ? '' : identity,
    destinationService: '',
    security: door === 'plain' ? 'plaintext' : '',
  };
  edges.refused(labels, reason);
  log?.({
    direction: outbound ? 'outbound' : 'inbound',
    source: {
      address: formatEndpoint(source.ip, source.port),
      workload: labels.sourceWorkload,
      identity: labels.sourceIdentity,
    },
    destination: {
      address: original === undefined ? '' : formatEndpoint(original.ip, original.port),
      service: '',
      workload: labels.destinationWorkload,
      identity: labels.destinationIdentity,
    },
    security: labels.security,
    sentBytes: 0,
    receivedBytes: 0,
    connectMs: 0,
    durationMs: 0,
    attempts: 0,
    end: 'refused',
    reason,
  });
}
