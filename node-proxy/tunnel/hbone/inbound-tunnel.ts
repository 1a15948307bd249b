/**
 * One HBONE tunnel, server side: a peer whose identity is proven, and its CONNECT streams. 200 only when the
 * application has accepted. Retired with GOAWAY when the peer's certificate ends: new streams need a new proof.
 */

import type { TLSSocket } from 'node:tls';
import type { Timer } from '#base/clock.ts';
import { canonicalIp } from '#base/net.ts';
import {
  type ConnectionEvents,
  H2Code,
  H2Connection,
  type H2Stream,
  type Header,
  STATUS_200,
  type StreamEvents,
} from '../../http2/index.ts';
import { admit } from '../accept.ts';
import type { WorkerContext } from '../context.ts';
import { ConnectionRefused, type Reason, refusalOf } from '../failure.ts';
import { enter, type InboundCaller } from '../inbound/enter.ts';
import { callHttp } from '../inbound/http-call.ts';
import type { LocalPod } from '../local-pod.ts';
import { Connection, type ConnectionStart } from '../relay/connection.ts';
import type { FlowLabels } from '../relay/flow.ts';
import { resetSocket, StreamSide, sideOf } from '../relay/side.ts';
import { bindTransport } from './tls-transport.ts';
import {
  CLOSE_WITHIN_MS,
  H2_SETTINGS,
  headerOf,
  PING_EVERY_MS,
  PONG_WITHIN_MS,
  parseAuthority,
  REQUESTS_HEADER,
  workloadOfBaggage,
} from './wire.ts';

export interface InboundTunnelOptions {
  tls: TLSSocket;
  /** The peer's SPIFFE id, as its certificate proved. */
  identity: string;
  namespace: string;
  /** When the peer's certificate ends, milliseconds since the epoch. */
  notAfterMs: number;
  pod: LocalPod;
  context: WorkerContext;
  onClosed: () => void;
}

export class InboundTunnel implements ConnectionEvents {
  readonly #options: InboundTunnelOptions;
  readonly #connection: H2Connection;
  readonly #sourceIp: string;
  readonly #localIp: string;
  readonly #timers = new Set<Timer>();
  #pongDue: Timer | undefined;
  #preface: Timer;
  #closed = false;

  constructor(options: InboundTunnelOptions) {
    this.#options = options;
    const { tls, context, notAfterMs } = options;
    const { clock, limits } = context;
    this.#sourceIp = canonicalIp(tls.remoteAddress ?? '') ?? '';
    this.#localIp = canonicalIp(tls.localAddress ?? '') ?? '';
    this.#preface = clock.after(limits.handshakeTimeoutMs, () => this.destroy());
    this.#timers.add(this.#preface);
    this.#timers.add(clock.after(Math.max(notAfterMs - clock.now(), 0), () => this.drain()));
    this.#timers.add(
      clock.every(PING_EVERY_MS, () => {
        this.#connection.ping();
        this.#pongDue ??= clock.after(PONG_WITHIN_MS, () => this.destroy());
      }),
    );
    tls.on('error', () => this.#over());
    tls.on('close', () => this.#over());
    this.#connection = bindTransport(
      tls,
      transport => new H2Connection({ role: 'server', transport, events: this, ...H2_SETTINGS }),
    );
  }

  drain(): void {
    this.#connection.goaway();
  }

  destroy(): void {
    this.#connection.destroy();
    this.#options.tls.destroy();
    this.#over();
  }

  onReady(): void {
    this.#preface.cancel();
  }

  onPong(): void {
    this.#pongDue?.cancel();
    this.#pongDue = undefined;
  }

  onGoaway(): void {
    // The client opens no more streams; the open ones finish.
  }

  onClosed(error: Error | undefined): void {
    const { tls, context } = this.#options;
    // What was written last, the GOAWAY or an application's last bytes, still has to leave.
    if (error === undefined) context.clock.after(CLOSE_WITHIN_MS, () => tls.destroy());
    else tls.destroySoon();
  }

  onStream(stream: H2Stream, headers: readonly Header[], endStream: boolean): StreamEvents {
    const side = new StreamSide(stream);
    void this.#connect(stream, side, headers, endStream);
    return side;
  }

  async #connect(
    stream: H2Stream,
    side: StreamSide,
    headers: readonly Header[],
    endStream: boolean,
  ): Promise<void> {
    const { pod, context, identity, namespace, tls } = this.#options;
    const authority = headerOf(headers, ':authority');
    const workload = workloadOfBaggage(headerOf(headers, 'baggage'));
    // The identity is proven, the workload's name is only claimed: it must at least be of that namespace.
    const claimed = workload.startsWith(`${namespace}/`) ? workload : '';
    const start: ConnectionStart = {
      direction: 'inbound',
      pod,
      source: { ip: this.#sourceIp, port: tls.remotePort ?? 0 },
      destination: authority,
      labels: inboundLabels(pod, identity, claimed),
    };
    const connection = new Connection(context, start);
    try {
      admit(pod, 'inbound', context.limits);
      const port = this.#targetPort(headers, authority, endStream);
      const requests = headerOf(headers, REQUESTS_HEADER) === 'checked';
      const caller = { identity, namespace, workload: claimed, ip: this.#sourceIp, requests };
      if (pod.http !== undefined) {
        connection.handedOver();
        return this.#asHttp(stream, side, caller, port, start);
      }
      connection.attempts = 1;
      const app = await enter(pod, caller, this.#localIp, port, connection, context.limits);
      if (stream.closed) {
        resetSocket(app);
        throw new ConnectionRefused('tunnel_gone', 'the client gave up while the application was connected');
      }
      stream.respond(STATUS_200);
      connection.establish(side, sideOf(app));
    } catch (error) {
      const refusal = refusalOf(error, 'inbound');
      connection.refused(refusal);
      answerRefused(stream, refusal);
    }
  }

  #asHttp(
    stream: H2Stream,
    side: StreamSide,
    caller: InboundCaller,
    port: number,
    start: ConnectionStart,
  ): void {
    const { pod, context } = this.#options;
    // A tunnel that was accepted before the pod asked for HTTP, if only its handshake: the peer comes again, with a
    // tunnel to who understands it. Without GOAWAY it would try this one again.
    if (context.http === undefined) {
      this.drain();
      return stream.reset(H2Code.REFUSED_STREAM);
    }
    callHttp(context.http, {
      pod,
      caller,
      ip: this.#localIp,
      port,
      connection: () => new Connection(context, start),
      open: () => side,
      accepted: () => {
        if (!stream.closed) stream.respond(STATUS_200);
      },
      reset: error => answerRefused(stream, refusalOf(error, 'inbound')),
    });
  }

  /** The target is always this pod, on the address the tunnel came to; the authority chooses only the port. */
  #targetPort(headers: readonly Header[], authority: string, endStream: boolean): number {
    if (headerOf(headers, ':method') !== 'CONNECT' || endStream) {
      throw new ConnectionRefused('bad_request', 'only CONNECT is understood here');
    }
    const target = parseAuthority(authority);
    if (target === undefined) {
      throw new ConnectionRefused('bad_request', `'${authority}' is not ip:port or host:port`);
    }
    if (target.ip !== undefined && target.ip !== this.#localIp) {
      throw new ConnectionRefused('bad_request', `${authority} is not an address of this pod`);
    }
    return target.port;
  }

  #over(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#pongDue?.cancel();
    this.#options.onClosed();
  }
}

function answerRefused(stream: H2Stream, { reason }: ConnectionRefused): void {
  if (!stream.closed) stream.respond([[':status', STATUS[reason] ?? '503']], true);
}

/** As ztunnel answers: 400 malformed, 401 refused by policy, 503 no application. */
const STATUS: Partial<Record<Reason, string>> = {
  bad_request: '400',
  loop: '400',
  policy: '401',
  policy_changed: '401',
  plaintext_refused: '401',
};

export function inboundLabels(pod: LocalPod, sourceIdentity: string, sourceWorkload: string): FlowLabels {
  return {
    reporter: 'destination',
    sourceWorkload,
    sourceIdentity,
    destinationWorkload: pod.who.workload,
    destinationIdentity: pod.who.identity,
    destinationService: '',
    security: 'mutual_tls',
  };
}
