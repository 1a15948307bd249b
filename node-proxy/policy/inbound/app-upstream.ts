/** The application behind a gate, reached in its caller's name: connections of one caller's connection only. */

import { formatEndpoint } from '#base/net.ts';
import type { enter, InboundCaller, LocalPod, TunnelLimits, Visit } from '../../tunnel/index.ts';
import type { Upstream } from '../exchange/upstream.ts';
import { H1Upstream } from '../h1/upstream-connection.ts';
import type { H2Pool } from '../h2/upstream-pool.ts';
import { HttpRefusal } from '../reply/index.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import { StartedWire, Switch } from '../wire/started.ts';
import { owned, type Wire } from '../wire/wire.ts';

/** Room for SETTINGS and the like. */
const EARLY_BYTES = 4_096;

interface Connected {
  wire: Wire;
  closed: () => void;
}

export class AppUpstream implements Upstream {
  readonly address: string;
  readonly idle: H1Upstream[] = [];
  h2: H2Pool | undefined;
  /** The caller's connection is gone. */
  closed = false;
  readonly #pod: LocalPod;
  readonly #caller: InboundCaller;
  readonly #ip: string;
  readonly #port: number;
  readonly #visit: Visit;
  readonly #limits: TunnelLimits;
  readonly #enter: typeof enter;
  /** Connected before anybody asked, to know that the application is there. */
  #ready: Wire | undefined;
  /** Bytes that the application has said meanwhile. */
  #spoken = 0;
  #again = false;

  constructor(
    pod: LocalPod,
    caller: InboundCaller,
    ip: string,
    port: number,
    visit: Visit,
    limits: TunnelLimits,
    into: typeof enter,
  ) {
    this.#pod = pod;
    this.#caller = caller;
    this.#ip = ip;
    this.#port = port;
    this.#visit = visit;
    this.#limits = limits;
    this.#enter = into;
    this.address = formatEndpoint(ip, port);
  }

  /** @throws ConnectionRefused */
  async prepare(): Promise<void> {
    this.#ready = await this.#dial();
  }

  /** What was prepared, for bytes that are not HTTP. */
  takeReady(): Wire | undefined {
    const ready = this.#ready;
    this.#ready = undefined;
    return ready;
  }

  /** What was prepared waits for the first request. */
  keepReady(): void {
    const wire = this.takeReady();
    if (wire === undefined) return;
    const listening = new Switch();
    this.keep(wire, listening);
    wire.start(listening);
  }

  /**
   * It waits for a request. If the application ends it before, the request connects anew; also if it has spoken, unless
   * that can be HTTP/2, where the application need not wait for its client (RFC 9113 §3.4).
   */
  keep(wire: Wire, listening: Switch): void {
    const early: Buffer[] = [];
    const ready = new StartedWire(wire, listening, early, false);
    this.#ready = ready;
    this.#spoken = 0;
    const drop = () => {
      if (this.#ready === ready) this.#ready = undefined;
      wire.reset();
    };
    const onData = (chunk: Buffer) => {
      this.#spoken += chunk.length;
      if (this.#spoken > EARLY_BYTES) drop();
      else early.push(owned(wire, chunk));
    };
    listening.target = { onData, onEnd: drop, onDrain: () => {}, onClosed: drop };
  }

  async connectH1(): Promise<H1Upstream> {
    if (this.#spoken > 0) this.takeReady()?.reset();
    const waited = this.#ready !== undefined;
    const { wire, closed } = await this.connect();
    const connection = new H1Upstream(wire, this, closed);
    connection.waited = waited;
    return connection;
  }

  async connect(): Promise<Connected> {
    const ready = this.takeReady();
    if (ready !== undefined) return { wire: ready, closed: () => {} };
    try {
      return { wire: await this.#dial(), closed: () => {} };
    } catch (error) {
      throw HttpRefusal.of(error);
    }
  }

  /** The client's connection bounds how many wait. */
  wait(): boolean {
    return true;
  }

  waited(): void {}

  /** To be called every second. An application of HTTP/1.1 closes what it does not want to keep by itself. */
  sweep(nowMs: number): void {
    this.h2?.sweep(nowMs);
  }

  close(): void {
    this.closed = true;
    this.takeReady()?.reset();
    for (const connection of [...this.idle]) connection.destroy();
    this.h2?.destroy();
  }

  async #dial(): Promise<Wire> {
    // The source port that was chosen for this caller is taken by the first connection.
    const { port: _, ...anyPort } = this.#caller;
    const caller = this.#again ? anyPort : this.#caller;
    this.#again = true;
    const wire = new SocketWire();
    const socket = await this.#enter(
      this.#pod,
      caller,
      this.#ip,
      this.#port,
      this.#visit,
      this.#limits,
      wire.reader,
    );
    return wire.attach(socket);
  }
}
