/** Port 15006: plaintext from callers outside the mesh, captured on its way into a pod. */

import { formatEndpoint } from '#base/net.ts';
import { admit } from '../accept.ts';
import type { WorkerContext } from '../context.ts';
import { ConnectionRefused, refusalOf } from '../failure.ts';
import { INBOUND_PLAIN_PORT } from '../hbone/wire.ts';
import type { Incoming } from '../incoming.ts';
import type { LocalPod } from '../local-pod.ts';
import { Connection, type ConnectionStart } from '../relay/connection.ts';
import { sideOf } from '../relay/side.ts';
import { enter } from './enter.ts';
import { callHttp } from './http-call.ts';
import { SourcePorts } from './source-ports.ts';

export class PlainInbound {
  readonly #pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #ports: SourcePorts;

  constructor(pod: LocalPod, context: WorkerContext) {
    this.#pod = pod;
    this.#context = context;
    this.#ports = new SourcePorts(context.random);
  }

  async receive(incoming: Incoming): Promise<void> {
    const { original, source } = incoming;
    const start = plainStart(this.#pod, incoming);
    const connection = new Connection(this.#context, start);
    const kept = this.#ports.claim(source.ip, source.port);
    try {
      admit(this.#pod, 'inbound', this.#context.limits);
      if (original === undefined || original.port === INBOUND_PLAIN_PORT) {
        throw new ConnectionRefused(
          'no_original_destination',
          'nothing redirected this connection to the capture port',
        );
      }
      const { ip, port } = original;
      const caller = {
        identity: '',
        namespace: '',
        workload: '',
        ip: source.ip,
        ...(kept.port === undefined ? {} : { port: kept.port }),
      };
      if (this.#pod.http !== undefined) {
        connection.handedOver();
        const { http, handOver } = this.#context;
        if (http === undefined) {
          if (handOver === undefined)
            throw new ConnectionRefused('no_policy_worker', 'nobody here understands HTTP');
          kept.release();
          return incoming.handOver(handOver, 'plain', this.#pod.who.id);
        }
        return callHttp(http, {
          pod: this.#pod,
          caller,
          ip,
          port,
          connection: () => new Connection(this.#context, start),
          open: reader => incoming.open(reader).once('close', kept.release),
          accepted: () => {},
          reset: () => {
            kept.release();
            incoming.reset();
          },
        });
      }
      connection.attempts = 1;
      const app = await enter(this.#pod, caller, ip, port, connection, this.#context.limits);
      connection.establish(sideOf(incoming.open().once('close', kept.release)), sideOf(app));
    } catch (error) {
      kept.release();
      connection.refused(refusalOf(error, 'inbound'));
      incoming.reset();
    }
  }
}

function plainStart(pod: LocalPod, { source, original }: Incoming): ConnectionStart {
  return {
    direction: 'inbound',
    pod,
    source,
    destination: original === undefined ? '' : formatEndpoint(original.ip, original.port),
    labels: {
      reporter: 'destination',
      sourceWorkload: '',
      sourceIdentity: '',
      destinationWorkload: pod.who.workload,
      destinationIdentity: pod.who.identity,
      destinationService: '',
      security: 'plaintext',
    },
  };
}
