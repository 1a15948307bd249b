/** The process that plays many node proxies: real clients, each with its own TLS connection and certificate. */

import { MeshClient, type NameState } from '#api';
import { systemClock } from '#base/clock.ts';
import { createCsr, generateKey } from '#trust';
import {
  type FromProxies,
  namesOf,
  nodeName,
  nowMs,
  type ProxiesStart,
  pathOf,
  TOKEN,
  TRUST_DOMAIN,
} from './messages.ts';

/** Joins at once; a real fleet is not started in one moment either, and the load of clients is not what is measured. */
const CONCURRENCY = 32;

process.once('message', (start: ProxiesStart) => void play(start));
process.once('disconnect', () => process.exit());

async function play({ first, count, scale, port, roots }: ProxiesStart): Promise<void> {
  const say = (message: FromProxies) => process.send?.(message);
  // One key for all: making keys is work of the nodes, which this is not about.
  const key = await generateKey();
  const csr = createCsr(key);
  const arrivals = new Map<number, number[]>();
  let missing = count * (Math.min(scale.names, scale.allNames) + 2);
  const heard = () => {
    missing -= 1;
    if (missing === 0) say({ type: 'ready', atMs: nowMs() });
  };
  const marked = (mark: number) => {
    const times = arrivals.get(mark) ?? [];
    arrivals.set(mark, times);
    times.push(nowMs());
    if (times.length === count) say({ type: 'marked', mark, atMs: times });
  };
  let next = first;
  const worker = async () => {
    while (next < first + count) {
      const i = next++;
      const client = new MeshClient({
        host: '127.0.0.1',
        port,
        trustDomain: TRUST_DOMAIN,
        roots,
        clock: systemClock,
        timeoutMs: 60_000,
      });
      const { chain } = await client.join({ node: nodeName(i), token: TOKEN, csr });
      client.setCredentials({ keyPem: key.privateKeyPem, chainPem: chain });
      watchAll(client, i);
    }
  };
  const watchAll = (client: MeshClient, i: number) => {
    const once = () => {
      let first = true;
      return () => {
        if (first) heard();
        first = false;
      };
    };
    client.watch('node', nodeName(i), once());
    client.watch('trust', '', once());
    for (const name of namesOf(i, scale)) {
      const arrived = once();
      client.watch('name', pathOf(name), state => {
        arrived();
        const mark = markOf(state);
        if (name === 0 && mark > 1) marked(mark);
      });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function markOf(state: NameState | undefined): number {
  if (state?.state !== 'bound' || state.tree.type !== 'leaf' || state.tree.replicas.state !== 'bound')
    return 0;
  return state.tree.replicas.replicas[0]?.weight ?? 0;
}
