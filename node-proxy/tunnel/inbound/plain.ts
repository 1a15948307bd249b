/** Port 15006: plaintext from callers outside the mesh, captured on its way into a pod. */

import { createServer, type Server, type Socket } from 'node:net';
import { canonicalIp, formatEndpoint } from '#base/net.ts';
import { admit, LISTENER_OPTIONS, originalOf } from '../accept.ts';
import type { WorkerContext } from '../context.ts';
import { ConnectionRefused, refusalOf } from '../failure.ts';
import { INBOUND_PLAIN_PORT } from '../hbone/wire.ts';
import type { LocalPod } from '../local-pod.ts';
import { Connection } from '../relay/connection.ts';
import type { FlowLabels } from '../relay/flow.ts';
import { resetSocket, SocketSide } from '../relay/side.ts';
import { enter } from './enter.ts';
import { SourcePorts } from './source-ports.ts';

export function servePlain(pod: LocalPod, context: WorkerContext): Server {
  const ports = new SourcePorts(context.random);
  return createServer(LISTENER_OPTIONS, socket => {
    void accept(socket, pod, context, ports);
  });
}

async function accept(
  socket: Socket,
  pod: LocalPod,
  context: WorkerContext,
  ports: SourcePorts,
): Promise<void> {
  const ip = canonicalIp(socket.remoteAddress ?? '') ?? '';
  const callersPort = socket.remotePort ?? 0;
  const original = originalOf(socket);
  const connection = new Connection(context, {
    direction: 'inbound',
    pod,
    source: formatEndpoint(ip, callersPort),
    destination: original === undefined ? '' : formatEndpoint(original.ip, original.port),
  });
  const labels: FlowLabels = {
    reporter: 'destination',
    sourceWorkload: '',
    sourceIdentity: '',
    destinationWorkload: pod.who.workload,
    destinationIdentity: pod.who.identity,
    destinationService: '',
    security: 'plaintext',
  };
  const source = ports.claim(ip, callersPort);
  socket.once('close', source.release);
  try {
    admit(pod, 'inbound', context.limits);
    if (original === undefined || original.port === INBOUND_PLAIN_PORT) {
      throw new ConnectionRefused(
        'no_original_destination',
        'nothing redirected this connection to the capture port',
      );
    }
    connection.attempts = 1;
    const caller = {
      identity: '',
      namespace: '',
      ip,
      ...(source.port === undefined ? {} : { port: source.port }),
    };
    const app = await enter(pod, caller, original.ip, original.port, connection, context.limits);
    connection.establish(new SocketSide(socket), app, labels);
  } catch (error) {
    connection.refused(refusalOf(error, 'inbound'), labels);
    resetSocket(socket);
  }
}
