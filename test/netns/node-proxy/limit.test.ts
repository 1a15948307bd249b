/** Ten times more connections at once than a pod may have: the limit is served, the rest is refused, nothing stays. */

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectingSocketIn } from '../../../node-proxy/kernel/index.ts';
import { netnsUnavailable } from '../../lib/netns.ts';
import { freshAnswer, settles } from './calls.ts';
import { APP_PORT, type MeshPod, MeshRig, total } from './rig.ts';

const skip = netnsUnavailable();
const LIMIT = 1_000;
const AT_ONCE = 10_000;
/**
 * The queue of a listener (4,096) overflows in such a storm. Then a late segment of a refused connection can open it once
 * more, to be refused again; and of ten thousand clients one or two may hear nothing for long.
 */
const ODD = 20;
const SETTLED_WITHIN_MS = 20_000;
/** Tunnels that the storm needed stay open for a while. */
const FDS_LEFT = 32;
const MEGABYTE = 1 << 20;

describe('too many connections at once', { skip }, () => {
  let rig: MeshRig;
  let a: MeshPod;
  let c: MeshPod;

  before(async () => {
    rig = await MeshRig.open({ proxy: { limits: { connectionsPerPod: LIMIT }, accessLog: 'off' } });
    [a, c] = [await rig.pod('a', 1), await rig.pod('c', 2)];
    await settles(() => freshAnswer(a, c.ip), /^c /);
  });

  after(() => rig?.close());

  test(`${AT_ONCE} against a limit of ${LIMIT}`, async t => {
    const proxies = [rig.proxy(1), rig.proxy(2)];
    const fds = proxies.map(proxy => proxy.openFds());
    const memory: number[] = [];
    for (const round of [1, 2]) {
      // What was asked before takes a place until its end is noticed.
      for (const proxy of proxies) await settles(() => openAt(proxy), /^0 0$/);
      const start = performance.now();
      const storm = new Storm(a, c.ip, AT_ONCE);
      t.after(() => storm.close());
      await Promise.race([storm.settled, sleep(SETTLED_WITHIN_MS, undefined, { ref: false })]);
      t.diagnostic(`round ${round}: ${AT_ONCE} settled in ${(performance.now() - start).toFixed(0)} ms`);
      const { answered, ECONNRESET: reset = 0, ...others } = storm.outcomes;
      assert.deepEqual([answered, others], [LIMIT, {}]);
      assert.ok(AT_ONCE - LIMIT - reset <= ODD, `${reset} refused`);
      const open = { reporter: 'source', source_workload: 'shop/a' };
      await settles(
        async () => {
          const samples = await rig.proxy(1).admin.metrics();
          const refused = total(samples, 'refusals_total', { reason: 'connection_limit' });
          const extra = refused - round * (AT_ONCE - LIMIT);
          return `${total(samples, 'connections_open', open)} ${Math.abs(extra) <= round * ODD ? 'all refused' : refused}`;
        },
        new RegExp(`^${LIMIT} all refused$`),
      );
      storm.close();
      for (const proxy of proxies) await settles(() => openAt(proxy), /^0 0$/);
      for (const [i, proxy] of proxies.entries()) {
        const allowed = (fds[i] ?? 0) + FDS_LEFT;
        await settles(async () => String(proxy.openFds() <= allowed), /true/);
      }
      assert.match(await freshAnswer(a, c.ip), /^c /, 'the pod is served as before');
      memory.push(total(await rig.proxy(1).admin.metrics(), 'resident_bytes') / MEGABYTE);
    }
    t.diagnostic(`resident after each round: ${memory.map(mb => mb.toFixed(0)).join(', ')} MB`);
    const [first = 0, second = 0] = memory;
    assert.ok(second < first * 1.3, `${first} MB, then ${second} MB`);
  });
});

/** As counted, and as the workers have them. */
async function openAt({ admin }: ReturnType<MeshRig['proxy']>): Promise<string> {
  const samples = await admin.metrics();
  return `${total(samples, 'connections_open')} ${total(samples, 'worker_connections')}`;
}

/** Many connections that all ask and then stay open. */
class Storm {
  readonly outcomes: Record<string, number> = {};
  readonly settled: Promise<unknown>;
  readonly #sockets: Socket[] = [];

  constructor(from: MeshPod, ip: string, count: number) {
    const all: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      const socket = new Socket({ fd: connectingSocketIn(from.ns.handle, { family: 4 }) });
      this.#sockets.push(socket);
      socket.connect(APP_PORT, ip);
      socket.write('hello');
      all.push(this.#outcome(socket).then(outcome => this.#count(outcome)));
    }
    this.settled = Promise.all(all);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #outcome(socket: Socket): Promise<string> {
    return new Promise(resolve => {
      socket.once('data', () => resolve('answered'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once('close', () => resolve('closed'));
    });
  }

  #count(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }
}
