/** The application behind a gate, reached in its caller's name: connections of one caller's connection only. */

import { formatEndpoint } from '#base/net.ts';
import {
  enter,
  type InboundCaller,
  type LocalPod,
  type TunnelLimits,
  type Visit,
} from '../../tunnel/index.ts';
import type { Upstream } from '../exchange/upstream.ts';
import { H1Upstream } from '../h1/upstream-connection.ts';
import type { H2Pool } from '../h2/upstream-pool.ts';
import { HttpRefusal } from '../reply/index.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import type { Wire } from '../wire/wire.ts';

interface Connected {
  wire: Wire;
  closed: () => void;
}

export class AppUpstream implements Upstream {
  readonly address: string;
  readonly idle: H1Upstream[] = [];
  h2: H2Pool | undefined;
  readonly #pod: LocalPod;
  readonly #caller: InboundCaller;
  readonly #ip: string;
  readonly #port: number;
  readonly #visit: Visit;
  readonly #limits: TunnelLimits;
  /** Connected before anybody asked, to know that the application is there. */
  #ready: Wire | undefined;
  #again = false;

  constructor(
    pod: LocalPod,
    caller: InboundCaller,
    ip: string,
    port: number,
    visit: Visit,
    limits: TunnelLimits,
  ) {
    this.#pod = pod;
    this.#caller = caller;
    this.#ip = ip;
    this.#port = port;
    this.#visit = visit;
    this.#limits = limits;
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

  /** It was HTTP after all. */
  giveBack(ready: Wire): void {
    this.#ready = ready;
  }

  async connectH1(): Promise<H1Upstream> {
    const { wire, closed } = await this.connect();
    return new H1Upstream(wire, this.idle, closed);
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

  close(): void {
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
    return wire.attach(
      await enter(this.#pod, caller, this.#ip, this.#port, this.#visit, this.#limits, wire.reader),
    );
  }
}
