/** A client's connection of HTTP/1.1 whose wires and upstream do what a test says, at the very moment it says. */

import { Deadlines } from '../../../../../node-proxy/policy/exchange/deadlines.ts';
import type { Host } from '../../../../../node-proxy/policy/exchange/host.ts';
import type { Upstream } from '../../../../../node-proxy/policy/exchange/plan.ts';
import { H1Server } from '../../../../../node-proxy/policy/h1/server-connection.ts';
import { H1Upstream } from '../../../../../node-proxy/policy/h1/upstream-connection.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../../../node-proxy/policy/limits.ts';
import type { Wire, WireEvents } from '../../../../../node-proxy/policy/wire/wire.ts';
import { FakeClock } from '../../../../lib/fake-clock.ts';
import { ScriptedPlan } from '../exchange/scripted-plan.ts';

export const GET = (path: string, ...fields: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'Host: web', ...fields].join('\r\n')}\r\n\r\n`;
export const OK = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

export class ScriptedWire implements Wire {
  readonly ephemeral = true;
  events: WireEvents | undefined;
  /** Everything that was written. */
  text = '';
  paused = false;
  ended = false;
  closed = false;
  corked = 0;
  /** Writes after it was closed. */
  late = 0;
  /** What `write` says. */
  room = true;
  onWrite: () => void = () => {};

  get flushed(): boolean {
    return this.room;
  }
  start(events: WireEvents): void {
    this.events = events;
  }
  write(chunk: Buffer): boolean {
    return this.writeText(chunk.toString('latin1'));
  }
  writeText(text: string): boolean {
    if (this.ended) throw new Error(`written after the end: ${text}`);
    if (this.closed) this.late += 1;
    else this.text += text;
    this.onWrite();
    return this.room;
  }
  cork(): void {
    this.corked += 1;
  }
  uncork(): void {
    this.corked -= 1;
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  /** As a tunnel's stream does it: at once. */
  reset(): void {
    this.close(false);
  }

  // === The far end ===

  /** In memory that is overwritten afterwards, as a socket's is. */
  say(text: string): void {
    const shared = Buffer.from(text, 'latin1');
    this.events?.onData(shared);
    shared.fill('?');
  }
  close(clean: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.events?.onClosed(clean);
  }
}

export function scripted() {
  const clock = new FakeClock();
  const client = new ScriptedWire();
  /** Of the connections to the application, in the order in which they are made. */
  const wires: ScriptedWire[] = [];
  let closedConnections = 0;
  /** Called with each wire before it is a connection; may wait, throw, or close it. */
  const hooks = { connecting: async (_wire: ScriptedWire): Promise<void> => {} };
  const upstream: Upstream = {
    address: '10.0.0.1:80',
    idle: [],
    h2: undefined,
    closed: false,
    connectH1: async () => {
      const wire = new ScriptedWire();
      wires.push(wire);
      await hooks.connecting(wire);
      const connection = new H1Upstream(wire, upstream, () => void (closedConnections += 1));
      if (wire.closed) connection.onClosed(false);
      return connection;
    },
    connect: () => Promise.reject(new Error('not asked for')),
    wait: () => true,
    waited: () => {},
  };
  const plan = new ScriptedPlan(upstream);
  let closed = 0;
  const nonsense: string[] = [];
  const host: Host = {
    deadlines: new Deadlines(clock),
    limits: { ...DEFAULT_HTTP_LIMITS, waitingBytes: 1_000 },
    draining: false,
    now: () => clock.monotonic(),
    after: (ms, act) => clock.after(ms, act),
  };
  const server = new H1Server(client, plan, host, {
    destination: '10.96.0.1:80',
    onNonsense: error => nonsense.push(error.reason),
    onClosed: () => void (closed += 1),
  });
  client.start(server);
  return {
    clock,
    client,
    wires,
    hooks,
    upstream,
    plan,
    server,
    host,
    nonsense,
    closed: () => closed,
    closedConnections: () => closedConnections,
  };
}

/** All that is promised has come to pass. */
export const settled = () => new Promise(resolve => setImmediate(resolve));
