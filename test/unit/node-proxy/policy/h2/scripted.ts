/** A client's connection of HTTP/2 and applications at the far ends of wires; plans and time do what a test says. */

import { setImmediate as turn } from 'node:timers/promises';
import type { H2Options, Header } from '../../../../../node-proxy/http2/index.ts';
import { Deadlines } from '../../../../../node-proxy/policy/exchange/deadlines.ts';
import type { Host } from '../../../../../node-proxy/policy/exchange/host.ts';
import type { Upstream } from '../../../../../node-proxy/policy/exchange/plan.ts';
import { H2Server } from '../../../../../node-proxy/policy/h2/server-connection.ts';
import { WireTransport } from '../../../../../node-proxy/policy/h2/transport.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from '../../../../../node-proxy/policy/limits.ts';
import { wirePair } from '../../../../../node-proxy/policy/wire/pair.ts';
import type { Wire } from '../../../../../node-proxy/policy/wire/wire.ts';
import { FakeClock } from '../../../../lib/fake-clock.ts';
import { type Recorder, Side } from '../../../../lib/http2-pair.ts';
import { ScriptedPlan } from '../exchange/scripted-plan.ts';

export const head = (method: string, path: string, ...fields: Header[]): readonly Header[] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'web'],
  ...fields,
];

/** Status of the response, or undefined. */
export const statusOf = (recorder: Recorder | undefined): string | undefined =>
  recorder?.headers[0]?.find(([name]) => name === ':status')?.[1];

/** All that is promised has come to pass. */
export const settled = async () => {
  for (let i = 0; i < 6; i++) await turn();
};

function sideOn(role: 'client' | 'server', wire: Wire, options: Partial<H2Options>): Side {
  const side = new Side(role, {
    transport: new WireTransport(wire),
    schedule: flush => void setImmediate(flush),
    ...options,
  });
  wire.start({
    onData: chunk => side.connection.receive(chunk),
    onEnd: () => side.connection.transportEnded(),
    onDrain: () => side.connection.drained(),
    onClosed: () => side.connection.transportEnded(),
  });
  return side;
}

interface Scripts {
  /** What the client and applications announce. */
  client?: H2Options['settings'];
  app?: H2Options['settings'];
  limits?: Partial<HttpLimits>;
  /** What is said about each request. */
  plan?: (plan: ScriptedPlan) => void;
}

export async function scripted({ client: told, app, limits, plan }: Scripts = {}) {
  const clock = new FakeClock();
  const [near, far] = wirePair();
  /** In the order in which they are connected. Their streams answer nothing by themselves. */
  const apps: Side[] = [];
  const hooks = { connecting: async (): Promise<void> => {} };
  const upstream: Upstream = {
    address: '10.0.0.1:80',
    idle: [],
    h2: undefined,
    closed: false,
    connectH1: () => Promise.reject(new Error('not asked for')),
    connect: async () => {
      await hooks.connecting();
      const [wire, theirs] = wirePair();
      const side = sideOn('server', theirs, { settings: { ...app } });
      side.accept = () => {};
      apps.push(side);
      return { wire, closed: () => {} };
    },
    wait: () => true,
    waited: () => {},
  };
  const host: Host = {
    deadlines: new Deadlines(clock),
    limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
    draining: false,
    now: () => clock.monotonic(),
    after: (ms, act) => clock.after(ms, act),
  };
  const plans: ScriptedPlan[] = [];
  const made = () => {
    const one = new ScriptedPlan(upstream);
    plan?.(one);
    plans.push(one);
    return one;
  };
  const server = new H2Server(near, made, host, { onNonsense: () => {}, onClosed: () => {} });
  near.start(server);
  const client = sideOn('client', far, { settings: { ...told } });
  await settled();
  return { clock, client, apps, hooks, upstream, host, plans, server };
}
