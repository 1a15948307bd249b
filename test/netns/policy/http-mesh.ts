/**
 * The mesh of `node-proxy/rig.ts` with applications that speak HTTP: each pod has one on 8080 (behind port `http` of
 * its services), the same on 8081 that no service declares (port `any`), and whatever a test puts on 8082 (port `tcp`).
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from '../../../deploy/demo/mesh/metrics.ts';
import type { TestNetns } from '../../lib/netns.ts';
import {
  APP_PORT,
  type MeshPod,
  MeshRig,
  type MeshRigOptions,
  type PodOptions,
  total,
} from '../node-proxy/rig.ts';
import { type Document, discard, store } from './documents.ts';

export const ANY_PORT = 8081;
export const BYTES_PORT = 8082;

/** What the application says of a request, as JSON. */
export interface Seen {
  by: string;
  method: string;
  path: string;
  headers: Record<string, string>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class HttpMesh {
  readonly rig: MeshRig;

  private constructor(rig: MeshRig) {
    this.rig = rig;
  }

  static async open(options: MeshRigOptions = {}): Promise<HttpMesh> {
    return new HttpMesh(await MeshRig.open(options));
  }

  /** @param handler default: says what it saw, {@link Seen}. */
  async pod(name: string, node: number, options: PodOptions & { handler?: Handler } = {}): Promise<MeshPod> {
    const { handler = saysWhatItSees(name), ...more } = options;
    const pod = await this.rig.pod(name, node, { ...more, serves: false });
    for (const port of [APP_PORT, ANY_PORT]) await serveHttp(pod.ns, port, handler);
    return pod;
  }

  /** `10.96.0.NUMBER` with the ports `http` 80, `any` 81 and `tcp` 82, of the pods labelled `app: NAME`. */
  service(name: string, number: number, app = name, namespace = 'shop'): string {
    const vip = `10.96.0.${number}`;
    const ports = [
      { name: 'http', port: 80, targetPort: APP_PORT },
      { name: 'any', port: 81, targetPort: ANY_PORT },
      { name: 'tcp', port: 82, targetPort: BYTES_PORT },
    ];
    this.rig.document(`service-${namespace}-${name}`, {
      kind: 'Service',
      metadata: { name, namespace },
      spec: { addresses: [vip], ports, selector: { app } },
    });
    return vip;
  }

  store(...documents: Document[]): Promise<void> {
    return store(this.rig.namerd, ...documents);
  }

  discard(...documents: Document[]): Promise<void> {
    return discard(this.rig.namerd, ...documents);
  }

  /** The sum of a metric at a node's proxy. */
  async count(node: number, name: string, labels: Record<string, string> = {}): Promise<number> {
    return total(await this.samples(node), name, labels);
  }

  samples(node: number): Promise<Sample[]> {
    return this.rig.proxy(node).admin.metrics();
  }

  close(): Promise<void> {
    return this.rig.close();
  }
}

/**
 * HTTP/1.1 and HTTP/2 on one port; gRPC calls are answered with their own message and OK.
 * @returns its sudden death: every connection is reset, the port refuses.
 */
export async function serveHttp(ns: TestNetns, port: number, handler: Handler): Promise<() => void> {
  const sockets = new Set<Socket>();
  const http1 = createServer({ keepAliveTimeout: 0 }, handler);
  const http2 = createHttp2Server();
  http2.on('sessionError', () => {});
  http2.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      const caller = headers['x-forwarded-client-cert'] ?? 'nobody';
      stream.sendTrailers({
        'grpc-status': '0',
        'x-caller': caller,
        'x-forged': headers['l5d-client-id'] ?? 'no',
      });
    });
    stream.pipe(stream);
  });
  const { server: listener } = await ns.listen('0.0.0.0', port, socket => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    const over = () => socket.end();
    socket.once('end', over);
    socket.once('data', (first: Buffer) => {
      socket.off('end', over);
      socket.pause();
      socket.unshift(first);
      const server = first.toString('latin1').startsWith('PRI ') ? http2 : http1;
      server.emit('connection', socket);
      if (server === http1) socket.resume();
    });
  });
  return () => {
    listener.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
}

export function saysWhatItSees(by: string): Handler {
  return (request, response) => {
    const { method = '', url = '', headers } = request;
    const seen = { by, method, path: url, headers } as Seen;
    const body = JSON.stringify(seen);
    request.resume().on('end', () => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      });
      response.end(method === 'HEAD' ? undefined : body);
    });
  };
}

/** Polls until it holds. @throws after `timeoutMs` with what was seen last. @returns milliseconds that it took. */
export async function becomes<T>(
  look: () => Promise<T> | T,
  wanted: (seen: T) => boolean,
  timeoutMs = 10_000,
): Promise<number> {
  const start = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - start;
    if (wanted(seen)) return tookMs;
    if (tookMs > timeoutMs) throw new Error(`after ${timeoutMs} ms still ${JSON.stringify(seen)}`);
    await sleep(10);
  }
}
