/** Somebody who loves to calculate: calls a random operation, waits 20 ms, and again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.ts';

const ENDPOINTS: Record<string, string> = {
  addition: process.env['ADDITION'] ?? 'http://addition.calculator:5001/addition',
  division: process.env['DIVISION'] ?? 'http://division.calculator:5002/division',
  multiplication: process.env['MULTIPLICATION'] ?? 'http://multiplication.calculator:5003/multiplication',
  subtraction: process.env['SUBTRACTION'] ?? 'http://subtraction.calculator:5004/subtraction',
  percentage: process.env['PERCENTAGE'] ?? 'http://percentage.calculator:5005/percentage',
};
/** Which operations, all equally often; percentage alone makes every division come from there. */
const OPERATIONS = (process.env['OPERATIONS'] ?? Object.keys(ENDPOINTS).join(',')).split(',');
const PAUSE_MS = Number(process.env['PAUSE_MS'] ?? 20);

const client = new Client();
client.publish(process.env['COUNTERS']);

let leaving = false;
process.once('SIGTERM', () => {
  leaving = true;
});

while (!leaving) {
  const operation = OPERATIONS[Math.floor(Math.random() * OPERATIONS.length)] ?? '';
  const url = ENDPOINTS[operation] ?? `http://${operation}.calculator/`;
  // op2 is 0 one time in five: dividing by it is an error that shall be seen.
  const numbers = { op1: 4, op2: Math.floor(Math.random() * 5) };
  // Failures are counted by the client; whoever loves to calculate goes on.
  await client.call(operation, url, numbers).catch(() => {});
  await sleep(PAUSE_MS);
}
process.exit(0);
