/** What all HTTP connections of a policy worker share: clock, deadlines, and who looks after them every second. */

import type { Clock, Timer } from '#base/clock.ts';
import { type HttpServer, LINE_WAIT_MS, type Patience } from './door/opening.ts';
import { Deadlines } from './exchange/deadlines.ts';
import type { Host } from './exchange/host.ts';
import type { Plan } from './exchange/plan.ts';
import type { RequestTable } from './flow.ts';
import { H1Server } from './h1/server-connection.ts';
import { H2Server } from './h2/server-connection.ts';
import type { HttpLimits } from './limits.ts';
import type { Wire } from './wire/wire.ts';

export interface WorkerParts {
  clock: Clock;
  limits: HttpLimits;
  requests: RequestTable;
  /** The proxy is shutting down. */
  draining(): boolean;
}

export interface Served {
  /** Where the client connected to: the host of requests that name none (HTTP/1.0). */
  destination: string;
  /** Once, when the client's connection is gone. */
  closed(): void;
  /** Something came that is no request; it was refused. */
  nonsense(reason: string): void;
}

export class Worker implements Host {
  readonly requests: RequestTable;
  readonly deadlines: Deadlines;
  readonly limits: HttpLimits;
  readonly #clock: Clock;
  readonly #draining: () => boolean;
  readonly #servers = new Set<HttpServer>();
  readonly after = (ms: number, act: () => void): Timer => this.#clock.after(ms, act);

  constructor({ clock, limits, requests, draining }: WorkerParts) {
    this.#clock = clock;
    this.limits = limits;
    this.requests = requests;
    this.deadlines = new Deadlines(clock);
    this.#draining = draining;
  }

  get connections(): number {
    return this.#servers.size;
  }

  get draining(): boolean {
    return this.#draining();
  }

  now(): number {
    return this.#clock.monotonic();
  }

  /** @param declared a client of HTTP speaks first; any other may wait for its server. */
  patience(declared: boolean): Patience {
    const { clientIdleMs, headMs } = this.limits;
    return {
      after: this.after,
      silentMs: declared ? clientIdleMs : 0,
      lineMs: declared ? headMs : LINE_WAIT_MS,
    };
  }

  /** @param plan for each request that is under way at once. */
  serve(version: 'http1' | 'http2', wire: Wire, plan: () => Plan, served: Served): HttpServer {
    const closed = () => {
      this.#servers.delete(server);
      served.closed();
    };
    const server: HttpServer =
      version === 'http1'
        ? new H1Server(wire, plan(), this, {
            destination: served.destination,
            onNonsense: error => served.nonsense(error.reason),
            onClosed: closed,
          })
        : new H2Server(wire, plan, this, { onNonsense: served.nonsense, onClosed: closed });
    this.#servers.add(server);
    return server;
  }

  /** To be called every second. */
  check(): void {
    const nowMs = this.now();
    for (const server of this.#servers) server.check(nowMs);
  }

  close(): void {
    for (const server of [...this.#servers]) server.breakOff('draining');
  }
}
