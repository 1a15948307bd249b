/** The bench's command line. */

import { parseArgs } from 'node:util';
import { GROUPS } from './l7/work.ts';

export interface Options {
  rounds: number;
  /** Shorter runs and fewer idle connections: to see that all works, not for figures to quote. */
  quick: boolean;
  /** Everything that was measured, as JSON, goes to this file too. */
  json: string | undefined;
  /** Worker threads of each proxy: ours and haproxy's. */
  workers: number;
  /** Leave our mesh out: direct connections and haproxy only. */
  peersOnly: boolean;
  /** Which kinds of figures to take. */
  only: ReadonlySet<string>;
  /** Keep the load on one core and the proxies on the others. */
  pinned: boolean;
  /** L7: where our proxies spend their time, instead of the comparison. */
  profile: boolean;
}

export type Bench = 'l4' | 'l7';

const KINDS: Record<Bench, readonly string[]> = {
  l4: ['requests', 'connections', 'bulk', 'paced', 'idle', 'cni'],
  l7: GROUPS,
};

export const USAGE = `usage: npm run bench -- l4 [--rounds N] [--quick] [--json FILE] [--workers N] [--peers-only] [--only KIND[,KIND]] [--pin]
       npm run bench -- l7 [the same] [--profile]
       npm run bench -- mesh-api [options of bench/mesh-api.ts]

l4 compares direct connections, haproxy and nodemesh on this machine, in one run, interleaved;
l7 does so for HTTP/1.1 and gRPC, with haproxy, nginx and, where it is on the PATH, envoy.
  --rounds N     how often everything is measured (default 5, with --quick 2)
  --quick        a fifth of the time, for a first look
  --json FILE    write all that was measured to FILE
  --workers N    worker threads of each proxy, ours and haproxy's (default 1)
  --peers-only   without nodemesh
  --only KINDS   of requests, connections, bulk, paced, idle, cni (default all);
                 with l7 of http, post, grpc, paced, paced-grpc
  --pin          keep the load on one core and the proxies on the others
  --profile      l7: where our proxies spend their time (perf), instead of the comparison`;

/** Throws with a message for the user. */
export function readOptions(args: string[], bench: Bench = 'l4'): Options {
  const all = KINDS[bench];
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      workers: { type: 'string', default: '1' },
      'peers-only': { type: 'boolean', default: false },
      only: { type: 'string', default: all.join(',') },
      pin: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  if (values.profile && bench !== 'l7') throw new TypeError('--profile is for l7');
  const only = values.only.split(',');
  const unknown = only.find(kind => !all.includes(kind));
  if (unknown !== undefined) throw new TypeError(`--only: '${unknown}' is none of ${all.join(', ')}`);
  return {
    rounds: positive('--rounds', values.rounds ?? (values.quick ? '2' : '5')),
    quick: values.quick,
    json: values.json,
    workers: positive('--workers', values.workers),
    peersOnly: values['peers-only'],
    only: new Set(only),
    pinned: values.pin,
    profile: values.profile,
  };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 1000)
    throw new TypeError(`${option} needs a number from 1 to 1000`);
  return number;
}
