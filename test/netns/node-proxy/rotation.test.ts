/** The root of the mesh is replaced while everything runs: no connection breaks, none fails, the old root ends. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Authority, HOUR, rootAuthority } from '../../lib/authority.ts';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask } from '../tunnel/rig.ts';
import { freshAnswer, settles, Traffic } from './calls.ts';
import { foreignPeer } from './foreign-peer.ts';
import { APP_PORT, type MeshPod, MeshRig } from './rig.ts';

const skip = netnsUnavailable();
const ANSWER = /^[abc] 10\.244\.\d+\.\d+ hello$/;

describe('root rotation', { skip }, () => {
  let rig: MeshRig;
  let folder: string;
  let oldRoot: Authority;
  let newRoot: Authority;
  let a: MeshPod;
  let b: MeshPod;
  let c: MeshPod;
  let x: MeshPod;

  /** As an operator does it whose roots come from elsewhere: the file is changed, namerd is started anew. */
  const sign = (signing: Authority, ...trusted: Authority[]) => {
    const certificates = [signing, ...trusted].map(({ certPem }) => certPem).join('');
    writeFileSync(join(folder, 'root.pem'), certificates);
    writeFileSync(join(folder, 'root.key'), signing.key.privateKeyPem, { mode: 0o600 });
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nmt-'));
    const life = { from: Date.now() - HOUR, to: Date.now() + 1000 * HOUR };
    [oldRoot, newRoot] = [await rootAuthority(life), await rootAuthority(life)];
    sign(oldRoot);
    // Proxies are given the old root once and for all: of the new one they must hear from namerd.
    writeFileSync(join(folder, 'given.pem'), oldRoot.certPem);
    rig = await MeshRig.open({
      namerd: {
        ca: { rootCert: join(folder, 'root.pem'), rootKey: join(folder, 'root.key') },
        rootsFile: join(folder, 'given.pem'),
      },
    });
    [a, b, c, x] = [
      await rig.pod('a', 1),
      await rig.pod('b', 1),
      await rig.pod('c', 2),
      await rig.pod('x', 0),
    ];
    for (const [from, to] of [
      [a, c],
      [c, b],
    ] as const)
      await settles(() => freshAnswer(from, to.ip), ANSWER);
  });

  after(async () => {
    await rig?.close();
    rmSync(folder, { recursive: true });
  });

  /** Whether `pod` takes a client of `issuer` and shows a certificate that leads to `trusted`. */
  const takes = async (pod: MeshPod, issuer: Authority, trusted: Authority): Promise<boolean> => {
    try {
      (await foreignPeer(x, pod, issuer, [trusted.certPem])).destroy();
      return true;
    } catch {
      return false;
    }
  };

  const restart = async () => {
    await rig.namerd.kill();
    await rig.namerd.start();
  };

  test('no open connection breaks, no new one fails, and the old root is refused in the end', async t => {
    const open: Socket[] = [];
    for (const [from, to] of [
      [a, c],
      [c, b],
      [a, b],
    ] as const)
      open.push(await from.ns.connect(to.ip, APP_PORT));
    const stillOpen = async (when: string) => {
      for (const socket of open) assert.match(await ask(socket, when), new RegExp(` ${when}$`));
    };
    await stillOpen('before');
    const traffic = [
      new Traffic(20, () => freshAnswer(a, c.ip)),
      new Traffic(20, () => freshAnswer(c, b.ip)),
    ];
    const rootsOf = async (node: number) => {
      const { trust, namerd } = (await rig.proxy(node).admin.json('/dump')) as {
        trust: { roots: string[] };
        namerd: { state: string };
      };
      return `${trust.roots.length} ${namerd.state}`;
    };
    const start = performance.now();
    const mark = (what: string) => t.diagnostic(`${what}: ${(performance.now() - start).toFixed(0)} ms`);

    sign(oldRoot, newRoot);
    await restart();
    for (const node of [1, 2]) await settles(() => rootsOf(node), /^2 connected$/);
    await stillOpen('both trusted');
    mark('both roots are trusted everywhere');
    for (const pod of [a, b, c]) assert.ok(await takes(pod, oldRoot, oldRoot), `${pod.name}: old, old`);
    for (const pod of [a, b, c])
      await settles(async () => String(await takes(pod, newRoot, oldRoot)), /true/);

    sign(newRoot, oldRoot);
    await restart();
    for (const pod of [a, b, c])
      await settles(async () => String(await takes(pod, oldRoot, newRoot)), /true/);
    for (const node of [1, 2]) await settles(() => rootsOf(node), /^2 connected$/);
    await stillOpen('new certificates');
    mark('all certificates are of the new root');

    sign(newRoot);
    await restart();
    for (const node of [1, 2]) await settles(() => rootsOf(node), /^1 connected$/);
    mark('the old root is forgotten');
    for (const pod of [a, b, c])
      await settles(async () => String(await takes(pod, oldRoot, newRoot)), /false/);
    for (const pod of [a, b, c]) assert.ok(await takes(pod, newRoot, newRoot), `${pod.name}: new, new`);
    await stillOpen('after');
    for (const calls of traffic) {
      assert.deepEqual(await calls.stop(ANSWER), []);
      t.diagnostic(`${calls.answers.length} new connections`);
    }
    for (const node of [1, 2])
      await settles(async () => String((await rig.proxy(node).admin.ask('/ready')).status), /200/);
  });
});
