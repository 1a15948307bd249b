/**
 * Percentage multiplies first and then divides by 100, or, about half of the time and on purpose, by 0: then
 * division fails, and with it percentage.
 */

import { Client } from './client.ts';
import { serve } from './service.ts';

const MULTIPLICATION =
  process.env['MULTIPLICATION'] ?? 'http://multiplication.calculator:5003/multiplication';
const DIVISION = process.env['DIVISION'] ?? 'http://division.calculator:5002/division';

const client = new Client();
client.publish(process.env['COUNTERS']);

serve({
  name: 'percentage',
  port: Number(process.env['PORT'] ?? 80),
  async operation(op1, op2) {
    const product = await client.call('multiplication', MULTIPLICATION, { op1, op2 });
    const divisor = Math.random() < 0.5 ? 0 : 100;
    return client.call('division', DIVISION, { op1: product, op2: divisor });
  },
});
