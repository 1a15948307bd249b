/**
 * Connections to pods that judge requests. The application is connected before the caller is told that it may
 * speak; whoever speaks first decides where nobody has declared a protocol.
 */

import { formatEndpoint } from '#base/net.ts';
import { callerAt, type enter, type InboundCall, StreamSide, type TunnelLimits } from '../../tunnel/index.ts';
import { type HttpServer, Opening } from '../door/opening.ts';
import { SideWire } from '../wire/side-wire.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import { StartedWire, Switch } from '../wire/started.ts';
import { owned, type Wire } from '../wire/wire.ts';
import type { Worker } from '../worker.ts';
import { AppUpstream } from './app-upstream.ts';
import { Gate, type GateParts } from './gate.ts';
import { InboundPlan } from './plan.ts';
import { Visitor } from './visitor.ts';

/** What the connections to pods of a worker have in common. */
export interface InboundParts {
  worker: Worker;
  gate: GateParts;
  limits: TunnelLimits;
  /** Connects to the application. */
  enter: typeof enter;
  /** Of connections that carry HTTP, to be swept. */
  apps: Set<AppUpstream>;
}

export async function openInbound(call: InboundCall, parts: InboundParts): Promise<void> {
  const { pod, caller, ip, port } = call;
  const visitor = new Visitor(pod);
  const app = new AppUpstream(pod, caller, ip, port, visitor, parts.limits, parts.enter);
  try {
    await app.prepare();
  } catch (error) {
    visitor.leave();
    call.refuse(error);
    return;
  }
  const { wire, within } = wireOf(call);
  visitor.onBroken = () => {
    wire.reset();
    app.close();
  };
  call.accepted();
  const protocol = pod.http?.ports[String(port)] ?? 'detect';
  const asBytes = (client: StartedWire, application: StartedWire) => {
    visitor.leave();
    call.relay(client, application);
  };
  if (protocol === 'opaque') {
    return asBytes(StartedWire.of(wire), StartedWire.of(app.takeReady() as Wire));
  }
  const http = (version: 'http1' | 'http2'): HttpServer => {
    const gate = new Gate(
      pod,
      callerAt(caller, port),
      call.source,
      formatEndpoint(ip, port),
      call.labels,
      parts.gate,
      within || caller.requests === true,
    );
    parts.apps.add(app);
    const server = parts.worker.serve(version, wire, () => new InboundPlan(gate, app, visitor.plans), {
      destination: formatEndpoint(ip, port),
      closed: () => {
        gate.close();
        visitor.leave();
        parts.apps.delete(app);
        app.close();
      },
      nonsense: reason => parts.gate.requests.refused(gate.requestLabels(version), reason),
    });
    visitor.onBroken = reason => {
      server.breakOff(reason);
      app.close();
    };
    return server;
  };
  const nothing = () => {
    visitor.leave();
    app.close();
  };
  const { worker } = parts;
  if (protocol === 'http') {
    app.keepReady();
    new Opening(wire, true, worker.patience(true), { http, nothing });
    return;
  }
  detect(wire, app, http, asBytes, nothing, worker);
}

/** Both sides are listened to: if the application speaks first, it is not HTTP. */
function detect(
  wire: Wire,
  app: AppUpstream,
  http: (version: 'http1' | 'http2') => HttpServer,
  asBytes: (client: StartedWire, application: StartedWire) => void,
  nothing: () => void,
  worker: Worker,
): void {
  const ready = app.takeReady() as Wire;
  const listening = new Switch();
  let greeting: Buffer | undefined;
  let opening: Opening | undefined;
  let gone = false;
  listening.target = {
    onData: chunk => {
      greeting = owned(ready, chunk);
      ready.pause();
      opening?.opaque();
    },
    onEnd: () => opening?.opaque(),
    onDrain: () => {},
    onClosed: () => {
      gone = true;
      if (opening?.told !== true) wire.reset();
    },
  };
  // Before the client's: what it has said already may decide at once.
  ready.start(listening);
  opening = new Opening(wire, false, worker.patience(false), {
    http: version => {
      app.keep(ready, listening);
      return http(version);
    },
    opaque: client =>
      asBytes(client, new StartedWire(ready, listening, greeting === undefined ? [] : [greeting], true)),
    nothing: () => {
      ready.reset();
      nothing();
    },
  });
  if (gone && !opening.told) wire.reset();
}

/** @returns also whether it comes from this node's own carrying of requests. */
function wireOf(call: InboundCall): { wire: Wire; within: boolean } {
  const wire = new SocketWire();
  const opened = call.open(wire.reader);
  if (opened instanceof StreamSide) return { wire: new SideWire(opened), within: false };
  if (isWire(opened)) return { wire: opened, within: true };
  if ('setNoDelay' in opened) return { wire: wire.attach(opened), within: false };
  return { wire: new SideWire(opened), within: false };
}

/** Within the node it is one already. */
function isWire(opened: object): opened is Wire {
  return 'writeText' in opened;
}
