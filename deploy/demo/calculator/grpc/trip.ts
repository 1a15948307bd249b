/** Carries an order of gRPC calls out, over one channel: part of the courier. */

import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Channel } from './methods.ts';

export interface GrpcOrder {
  operation: string;
  /** `host:port` */
  target: string;
  count: number;
  /** Calls under way at once; default 4. */
  concurrency?: number;
  /** Between one call and the next, each of those under way; default none. */
  pauseMs?: number;
}

export interface GrpcDelivery {
  /** By gRPC status code. */
  codes: Record<string, number>;
  answeredBy: Record<string, number>;
  /** TCP connections to the target that were open at the end. */
  connections: number;
  lastMessage: string;
}

/** As /proc/net/tcp prints it. */
const ESTABLISHED = '01';

export async function carryOut({
  operation,
  target,
  count,
  concurrency = 4,
  pauseMs = 0,
}: GrpcOrder): Promise<GrpcDelivery> {
  const channel = new Channel(operation, target);
  const delivery: GrpcDelivery = { codes: {}, answeredBy: {}, connections: 0, lastMessage: '' };
  let next = 0;
  const work = async () => {
    while (next < count) {
      // 10 divided by 0, 1, 2 and 3 in turn.
      const { code, by, message } = await channel.call({ op1: 10, op2: next++ % 4 });
      delivery.codes[code] = (delivery.codes[code] ?? 0) + 1;
      if (by !== '') delivery.answeredBy[by] = (delivery.answeredBy[by] ?? 0) + 1;
      if (message !== '') delivery.lastMessage = message;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  delivery.connections = await connectionsTo(target);
  channel.close();
  return delivery;
}

async function connectionsTo(target: string): Promise<number> {
  const [host = '', port = ''] = target.split(':');
  const { address } = await lookup(host, 4);
  const hex = address
    .split('.')
    .reverse()
    .map(byte => Number(byte).toString(16).padStart(2, '0'))
    .join('');
  const remote = `${hex}:${Number(port).toString(16).padStart(4, '0')}`.toUpperCase();
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1);
  return lines.filter(line => {
    const [, , to, state] = line.trim().split(/\s+/);
    return to === remote && state === ESTABLISHED;
  }).length;
}
