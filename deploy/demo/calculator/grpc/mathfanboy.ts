/** Somebody who loves to calculate, by gRPC: a random operation every 20 ms, over channels that stay open. */

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Counters, noCounters } from '../client.ts';
import { Channel } from './methods.ts';

const OPERATIONS: Readonly<Record<string, number>> = {
  addition: 5001,
  division: 5002,
  multiplication: 5003,
  subtraction: 5004,
  percentage: 5005,
};
const PAUSE_MS = 20;
const UNAVAILABLE = 14;
const WINDOW = 200;

/** As the other mathfanboy counts: `error` is what an application answered with, everything else is a failed call. */
const targets: Record<string, Counters> = {};
createServer((_, response) => response.end(JSON.stringify(targets))).listen(process.env['COUNTERS']);

const wanted = (process.env['OPERATIONS'] ?? Object.keys(OPERATIONS).join(',')).split(',');
const channels = wanted.map(operation => {
  const target = `${operation}.grpc-calculator:${OPERATIONS[operation]}`;
  return { operation, channel: new Channel(operation, target) };
});
let leaving = false;
process.once('SIGTERM', () => {
  leaving = true;
});

while (!leaving) {
  const { operation = '', channel } = channels[Math.floor(Math.random() * channels.length)] ?? {};
  const start = performance.now();
  const answer = await channel?.call({ op1: 10, op2: Math.floor(Math.random() * 4) });
  const counters = (targets[operation] ??= noCounters());
  const outcome = answer?.code === 0 ? 'ok' : answer?.code === UNAVAILABLE ? 'unreachable' : 'error';
  counters.calls += 1;
  counters.outcomes[outcome] = (counters.outcomes[outcome] ?? 0) + 1;
  if (outcome === 'unreachable') counters.lastFailure = answer?.message;
  counters.latenciesMs.push(performance.now() - start);
  if (counters.latenciesMs.length > WINDOW) counters.latenciesMs.shift();
  await sleep(PAUSE_MS);
}
process.exit(0);
