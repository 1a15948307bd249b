/**
 * The mesh API's server: HTTP/2 over TLS 1.3. A client certificate is asked for but not demanded by TLS, so that
 * whoever has none, or an expired one, can join and is told in words what is wrong.
 */

import { constants as crypto } from 'node:crypto';
import http2, { type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { CertificateRequest, JoinRequest } from '#api';
import type { Clock, Timer } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { canonicalIp } from '#base/net.ts';
import type { Certifier } from '../../ca/index.ts';
import { MeshRefusal } from './errors.ts';
import { OwnCertificate } from './own-certificate.ts';
import { authenticated, type Peer, peerOf } from './peer.ts';
import { answer, Bodies, refuse } from './requests.ts';
import type { MeshSource } from './source.ts';
import { Topics } from './topics.ts';
import { WatchStream } from './watch-stream.ts';

export interface MeshServerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  certifier: Certifier;
  source: MeshSource;
  clock: Clock;
  log: Logger;
  /** Connections at once, joined or not; 5,000 by default. */
  maxConnections?: number;
  /** Connections without a node's certificate from one address; 128 by default. */
  maxStrangers?: number;
}

export interface MeshServerStats {
  connections: number;
  /** Watch streams, and the nodes that they belong to. */
  streams: number;
  nodes: readonly string[];
  watches: number;
  /** Distinct keys that are watched. */
  topics: number;
  /** Keys, over all streams, whose newest state has not been taken by its reader yet. */
  behind: number;
}

/** A proxy has one stream, two while it is being replaced; the oldest beyond this are left-overs. */
const MAX_STREAMS_PER_NODE = 4;
const MAX_STRANGERS = 128;
const HANDSHAKE_MS = 10_000;
const IDLE_MS = 30_000;
const WINDOW = 1024 * 1024;

export class MeshServer {
  readonly #options: MeshServerOptions;
  readonly #server: Http2SecureServer;
  readonly #certificate: OwnCertificate;
  readonly #topics: Topics;
  readonly #sessions = new Map<ServerHttp2Session, Peer>();
  /** Connections without a node's certificate, by address. */
  readonly #strangers = new Map<string, number>();
  readonly #streams = new Set<WatchStream>();
  readonly #bodies = new Bodies();
  readonly #ticks: Timer;

  /** Listens when the promise resolves. @throws Error of listen (EADDRINUSE, …), CaError */
  static async start(options: MeshServerOptions): Promise<MeshServer> {
    let context: SecureContextOptions = {};
    let started: MeshServer | undefined;
    const certificate = new OwnCertificate(options.certifier, options.clock, options.log, next => {
      context = next;
      if (started !== undefined) started.#server.setSecureContext(withDefaults(next));
    });
    await certificate.start();
    started = new MeshServer(options, certificate, context);
    try {
      await started.#listen();
    } catch (error) {
      await started.close();
      throw error;
    }
    return started;
  }

  private constructor(
    options: MeshServerOptions,
    certificate: OwnCertificate,
    context: SecureContextOptions,
  ) {
    this.#options = options;
    this.#certificate = certificate;
    this.#topics = new Topics(options.source, () => {
      for (const stream of this.#streams) stream.flush();
    });
    this.#server = http2.createSecureServer({
      ...withDefaults(context),
      ALPNProtocols: ['h2'],
      allowHTTP1: false,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
      noDelay: true,
      settings: {
        enablePush: false,
        initialWindowSize: WINDOW,
        maxConcurrentStreams: 128,
        maxHeaderListSize: 16 * 1024,
      },
    });
    this.#server.maxConnections = options.maxConnections ?? 5000;
    this.#server.on('session', session => this.#onSession(session));
    this.#server.on('stream', (stream: ServerHttp2Stream, headers) => {
      // A broken stream of one caller; its own handlers clean up.
      stream.on('error', error => options.log.debug({ err: error }, 'a stream of the mesh API broke'));
      void this.#route(stream, String(headers[':method']), String(headers[':path']));
    });
    this.#server.on('tlsClientError', error =>
      options.log.debug({ err: error }, 'a handshake with the mesh API failed'),
    );
    this.#server.on('sessionError', error =>
      options.log.debug({ err: error }, 'a connection of the mesh API broke'),
    );
    this.#ticks = options.clock.every(1000, () => this.#tick());
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stats(): MeshServerStats {
    const streams = [...this.#streams];
    return {
      connections: this.#sessions.size,
      streams: streams.length,
      nodes: [...new Set(streams.map(({ node }) => node))].sort(),
      watches: streams.reduce((sum, { watches }) => sum + watches, 0),
      topics: this.#topics.size,
      behind: streams.reduce((sum, { behind }) => sum + behind, 0),
    };
  }

  /** Ends every connection: clients go on with what they know and come back. */
  async close(): Promise<void> {
    this.#ticks.cancel();
    this.#certificate.close();
    for (const stream of [...this.#streams]) stream.close('namerd is stopping');
    const closed = new Promise<void>(resolve => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
    for (const session of this.#sessions.keys()) session.destroy();
    await closed;
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', error =>
          this.#options.log.error({ err: error }, 'the mesh API server failed'),
        );
        resolve();
      });
    });
  }

  #onSession(session: ServerHttp2Session): void {
    const { certifier, maxStrangers = MAX_STRANGERS } = this.#options;
    const peer = peerOf(session.socket as TLSSocket, certifier.trustDomain);
    if (peer.state === 'stranger') {
      const from = addressOf(session);
      const present = this.#strangers.get(from) ?? 0;
      // One host must not be able to keep the fleet out.
      if (present >= maxStrangers) return session.destroy();
      this.#strangers.set(from, present + 1);
      session.on('close', () => this.#forgetStranger(from));
    }
    this.#sessions.set(session, peer);
    session.setLocalWindowSize(4 * WINDOW);
    session.setTimeout(IDLE_MS, () => session.close());
    session.on('close', () => this.#sessions.delete(session));
  }

  #forgetStranger(from: string): void {
    const left = (this.#strangers.get(from) ?? 1) - 1;
    if (left > 0) this.#strangers.set(from, left);
    else this.#strangers.delete(from);
  }

  async #route(stream: ServerHttp2Stream, method: string, path: string): Promise<void> {
    const { certifier, clock, log } = this.#options;
    try {
      const session = stream.session as ServerHttp2Session | undefined;
      const peer = session && this.#sessions.get(session);
      if (session === undefined || peer === undefined) return void stream.destroy();
      const node = () => authenticated(peer, certifier, clock.now());
      switch (`${method} ${path}`) {
        case 'POST /mesh/v1/watch':
          return this.#watch(stream, node());
        case 'POST /mesh/v1/certificates': {
          const asker = node();
          const request = await this.#bodies.read<CertificateRequest>(stream);
          return answer(stream, 200, await certifier.certificate(asker, request));
        }
        case 'POST /mesh/v1/join': {
          const request = await this.#bodies.read<JoinRequest>(stream);
          return answer(stream, 200, await certifier.join(request, addressOf(session)));
        }
      }
      throw new MeshRefusal('NM_MESH_PATH', 404, `there is no ${method} ${path.slice(0, 200)}`);
    } catch (error) {
      if (error instanceof MeshError) log.debug({ err: error, path }, 'refused a request of the mesh API');
      else log.error({ err: error, path }, 'a request of the mesh API failed unexpectedly');
      refuse(stream, error);
    }
  }

  #watch(stream: ServerHttp2Stream, node: string): void {
    const { source, clock, log } = this.#options;
    const present = [...this.#streams].filter(other => other.node === node);
    if (present.length >= MAX_STREAMS_PER_NODE) present[0]?.close('the node has newer streams');
    const watch: WatchStream = new WatchStream({
      stream,
      node,
      source,
      topics: this.#topics,
      clock,
      log,
      onClose: () => this.#streams.delete(watch),
    });
    this.#streams.add(watch);
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const stream of [...this.#streams]) stream.tick();
    // A certificate counts for as long as it lasts, not for as long as its connection does.
    for (const [session, peer] of this.#sessions)
      if (peer.state === 'node' && (now > peer.expiresAt || !this.#options.certifier.knows(peer.node)))
        session.destroy();
  }
}

function addressOf({ socket: { remoteAddress = '' } }: ServerHttp2Session): string {
  return canonicalIp(remoteAddress) ?? remoteAddress;
}

function withDefaults(context: SecureContextOptions): SecureContextOptions {
  return {
    ...context,
    minVersion: 'TLSv1.3',
    // A resumed session would skip the check of a certificate that may have expired meanwhile.
    secureOptions: crypto.SSL_OP_NO_TICKET,
  };
}
