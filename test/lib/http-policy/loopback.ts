/** What the loopback harnesses of the HTTP data path share: sockets without namespaces, and a worker's context. */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { Authorizer } from '../../../node-proxy/authorize/index.ts';
import { EndpointTable } from '../../../node-proxy/balance/index.ts';
import { EdgeCounters } from '../../../node-proxy/observe/edge-counters.ts';
import { Resolver } from '../../../node-proxy/resolve/index.ts';
import {
  ConnectionRefused,
  Credentials,
  DEFAULT_LIMITS,
  LocalPod,
  type SocketReader,
  type WorkerContext,
} from '../../../node-proxy/tunnel/index.ts';

/** A resolver that learns what it is told by `bind`, and nothing else. */
export function resolverOf(clock: Clock): Resolver {
  return new Resolver({
    clock,
    endpoints: new EndpointTable(() => clock.monotonic()),
    watch: () => {},
    unwatch: () => {},
    timeoutMs: 1_000,
    limit: 100,
    idleMs: 600_000,
  });
}

/** An accepted connection that nobody has read from: its socket is made when it is known how to read it. */
export type Handle = { close(): void };

/** A server that makes no sockets of its own. */
export class Listener {
  readonly #server: Server;

  constructor(accept: (handle: Handle) => void) {
    this.#server = createServer();
    this.#accept = accept;
  }

  readonly #accept: (handle: Handle) => void;

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { _handle } = this.#server as unknown as {
      _handle: { onconnection: (error: number, handle: Handle) => void };
    };
    _handle.onconnection = (_error, handle) => this.#accept(handle);
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Paused unless a reader is given. */
export function socketOf(handle: Handle, reader?: SocketReader): Socket {
  const socket = new Socket({
    handle,
    allowHalfOpen: true,
    ...(reader === undefined ? {} : { onread: reader }),
  } as never);
  socket.pause();
  socket.setNoDelay(true);
  return socket;
}

export function dialLoopback(ip: string, port: number, reader?: SocketReader): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({
      allowHalfOpen: true,
      ...(reader === undefined ? {} : { onread: reader }),
    } as never);
    socket.setNoDelay(true);
    socket.pause();
    const refused = (error: Error) => reject(new ConnectionRefused('connect_failed', error.message, error));
    socket.once('error', refused);
    socket.connect({ host: ip, port }, () => {
      socket.off('error', refused);
      resolve(socket);
    });
  });
}

export function contextOf(clock: Clock, resolver: Resolver): WorkerContext {
  return {
    clock,
    random: Math.random,
    limits: DEFAULT_LIMITS,
    now: () => clock.monotonic(),
    edges: new EdgeCounters(),
    log: undefined,
    credentials: new Credentials({ trustDomain: 'test.mesh', roots: [] }),
    resolver,
    localPods: new Map(),
    draining: false,
    whenUnresolved: 'refuse',
  };
}

/** A pod `shop/<name>` without a namespace of its own. */
export function podOf(name: string, ip: string, authorizer: Authorizer, identity?: string): LocalPod {
  return new LocalPod(
    {
      id: name,
      workload: `shop/${name}`,
      namespace: 'shop',
      name,
      identity: identity ?? `spiffe://test.mesh/ns/shop/sa/${name}`,
      ips: [ip],
    },
    { id: name, fd: -1, close: () => {} } as never,
    authorizer,
  );
}

/** Resolves when `check` holds; asks again at every turn of the event loop. Rejects after 5 s with what it last threw. */
export async function eventually(check: () => void): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise(resolve => setImmediate(resolve));
  }
}
