/**
 * Calls one URL a given number of times, or until SIGTERM, and prints what came of it as JSON: the way a
 * scenario makes traffic from inside a pod.
 *
 *   node burst.ts URL --count 1000 --concurrency 8 [--pause-ms 0]
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, noCounters } from './client.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '1' },
    'pause-ms': { type: 'string', default: '0' },
  },
});
const [url = ''] = positionals;
const pauseMs = Number(values['pause-ms']);
const client = new Client();
client.publish(process.env['COUNTERS']);
let left = Number(values.count);
process.once('SIGTERM', () => {
  left = 0;
});

await Promise.all(Array.from({ length: Number(values.concurrency) }, keepCalling));
const { [url]: counters = noCounters() } = client.targets;
process.stdout.write(`${JSON.stringify(counters)}\n`, () => process.exit(0));

async function keepCalling(): Promise<void> {
  while (left > 0) {
    left -= 1;
    await client.call(url, url, { op1: 4, op2: 2 }).catch(() => {});
    if (pauseMs > 0) await sleep(pauseMs);
  }
}
