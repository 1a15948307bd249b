/** Connections of this node's pods to services that ask for HTTP. */

import type { Resolver } from '../../resolve/index.ts';
import {
  callerAt,
  callerOf,
  type LocalPod,
  type OpenConnection,
  type OutboundCall,
  type Reason,
} from '../../tunnel/index.ts';
import { DetectingSide } from '../door/detecting-side.ts';
import { type HttpServer, Opening } from '../door/opening.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import type { Worker } from '../worker.ts';
import type { OutboundClient } from './client.ts';
import { OutboundPlan } from './plan.ts';
import { labelsOf } from './record.ts';
import type { Service } from './service.ts';
import type { PodUpstreams } from './upstream/pod-upstreams.ts';

/** What the outbound connections of a worker have in common. */
export interface OutboundParts {
  worker: Worker;
  resolver: Resolver;
  client: Omit<
    OutboundClient,
    'pod' | 'source' | 'destination' | 'caller' | 'service' | 'upstreams' | 'refresh'
  >;
  acquire(target: OutboundCall['target']): Service;
  release(service: Service): void;
  /** Those of the call's pod. */
  upstreams(call: OutboundCall): PodUpstreams;
}

export function openOutbound(call: OutboundCall, parts: OutboundParts): void {
  const { worker } = parts;
  const { pod, target } = call;
  const wire = new SocketWire();
  wire.attach(call.open(wire.reader));
  const open = new OpenClient(pod);
  open.onBroken = () => wire.reset();
  const http = (version: 'http1' | 'http2'): HttpServer => {
    const service = parts.acquire(target);
    const client = clientOf(call, service, parts);
    const closed = () => {
      open.leave();
      parts.release(service);
    };
    const server = worker.serve(version, wire, () => new OutboundPlan(client), {
      destination: call.destination,
      closed,
      nonsense: reason => worker.requests.refused(labelsOf(client, undefined, '', version), reason),
    });
    open.onBroken = reason => server.breakOff(reason);
    return server;
  };
  if (target.http?.protocol === 'http') {
    new Opening(wire, true, worker.patience(true), { http, nothing: () => open.leave() });
    return;
  }
  const side = new DetectingSide(wire, worker.patience(false), version => {
    const server = http(version);
    pod.add(open, 'outbound');
    return server;
  });
  // The relay's own record of the connection stands until it is known to be HTTP.
  open.leave();
  call.relay(side);
}

function clientOf(call: OutboundCall, service: Service, parts: OutboundParts): OutboundClient {
  const { pod, source, destination } = call;
  let asked = false;
  return {
    ...parts.client,
    pod,
    source,
    destination,
    caller: callerAt(callerOf(pod, source.ip), 0),
    service,
    upstreams: parts.upstreams(call),
    refresh: () => {
      const now = parts.resolver.known(destination);
      if (now?.kind === 'service' && now.name === service.name) service.update(now);
      if (now !== undefined || asked) return;
      // Forgotten meanwhile, for others were used more.
      asked = true;
      void parts.resolver.resolve(destination).then(() => {
        asked = false;
      });
    },
  };
}

/** A client's connection, as its pod counts it. */
class OpenClient implements OpenConnection {
  onBroken: ((reason: Reason) => void) | undefined;
  readonly #pod: LocalPod;

  constructor(pod: LocalPod) {
    this.#pod = pod;
    pod.add(this, 'outbound');
  }

  stillAllowed(): boolean {
    return true;
  }

  breakOff(reason: Reason): void {
    this.onBroken?.(reason);
  }

  leave(): void {
    this.#pod.remove(this, 'outbound');
  }
}
