import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLog } from '#base/log.ts';
import type { Capture } from '#capture';
import type { NetnsHandle } from '../../../../node-proxy/kernel/index.ts';
import {
  AGAIN_AFTER_MS,
  CaptureGuard,
  GLANCE_EVERY_MS,
  LOOK_EVERY_MS,
  UNCOUNTED_LOOK_EVERY_MS,
} from '../../../../node-proxy/pods/capture-guard.ts';
import { Pod } from '../../../../node-proxy/pods/pod.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const PATH = '/proc/self/ns/net';

function podsInside(count: number): Pod[] {
  const { dev, ino } = statSync(PATH, { bigint: true });
  return Array.from({ length: count }, (_, i) => {
    const netns = { id: `${dev}:${ino}`, path: PATH, fd: 1_000_000 + i } as NetnsHandle;
    const pod = new Pod(netns, `shop/${i}`, [], '', undefined);
    const who = {
      id: pod.id,
      workload: pod.workload,
      namespace: 'shop',
      name: String(i),
      identity: '',
      ips: [],
    };
    pod.state = { is: 'inside', who, sinceMs: 0 };
    return pod;
  });
}

/** Says `complete` of every pod but those that are flushed; applying heals. Every change is counted. */
class FakeCapture {
  readonly iptables;
  readonly looks = new Map<string, number>();
  readonly #flushed = new Set<string>();
  readonly generations = new Map<number, number>();

  constructor(flavour: 'nft' | 'legacy') {
    this.iptables = { flavour };
  }

  flush(pod: Pod): void {
    this.#flushed.add(pod.entrance);
    this.generations.set(pod.netns.fd, (this.generations.get(pod.netns.fd) ?? 0) + 1);
  }

  get flushed(): number {
    return this.#flushed.size;
  }

  async inspect(entrance: string): Promise<object> {
    this.looks.set(entrance, (this.looks.get(entrance) ?? 0) + 1);
    return this.#flushed.has(entrance)
      ? { state: 'missing', differences: ['all gone'] }
      : { state: 'complete', differences: [] };
  }

  async apply(entrance: string): Promise<void> {
    this.#flushed.delete(entrance);
  }
}

function guardOf(pods: Pod[], flavour: 'nft' | 'legacy' = 'nft') {
  const capture = new FakeCapture(flavour);
  const clock = new FakeClock();
  const vanished: Pod[] = [];
  const guard = new CaptureGuard({
    capture: capture as unknown as Capture,
    captureOptions: () => ({ probeSources: [] }),
    pods: () => [...pods],
    onVanished: pod => vanished.push(pod),
    clock,
    log: silentLog,
    generation: ({ fd }) => capture.generations.get(fd) ?? 0,
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await turn();
    }
  };
  return { guard, capture, pass, vanished };
}

const looksOf = (capture: FakeCapture) => [...capture.looks.values()].reduce((sum, looks) => sum + looks, 0);

describe('the capture guard', () => {
  it('looks at a quiet pod when it comes in, and then once in a long while', async () => {
    const { guard, capture, pass } = guardOf(podsInside(3));
    await pass(LOOK_EVERY_MS - 100);
    assert.equal(looksOf(capture), 3);
    await pass(LOOK_EVERY_MS);
    assert.equal(looksOf(capture), 6);
    guard.close();
  });

  it('looks at pods whose changes nobody counts more often', async () => {
    const { guard, capture, pass } = guardOf(podsInside(3), 'legacy');
    await pass(3 * UNCOUNTED_LOOK_EVERY_MS + GLANCE_EVERY_MS);
    guard.close();
    assert.ok(looksOf(capture) >= 9, `${looksOf(capture)} looks`);
  });

  it('never looks more than four times a second', async () => {
    const { guard, capture, pass } = guardOf(podsInside(200), 'legacy');
    await pass(20_000);
    guard.close();
    assert.ok(looksOf(capture) <= 80 && looksOf(capture) >= 70, `${looksOf(capture)} looks`);
  });

  it('puts back what was flushed within two seconds, and counts it', async () => {
    const pods = podsInside(40);
    const { guard, capture, pass } = guardOf(pods);
    await pass(15_000);
    assert.equal(guard.repairs, 0);
    capture.flush(pods[17] as Pod);
    await pass(2 * GLANCE_EVERY_MS);
    guard.close();
    assert.equal(capture.flushed, 0);
    assert.equal(guard.repairs, 1);
  });

  it('lets a running pod keep its open connections for a while; the end of that is no repair', async () => {
    const [pod] = podsInside(1) as [Pod];
    const { guard, capture, pass } = guardOf([pod]);
    pod.sparing = true;
    capture.flush(pod);
    await pass(AGAIN_AFTER_MS - 100);
    assert.equal(pod.sparing, true);
    await pass(2 * GLANCE_EVERY_MS);
    guard.close();
    assert.equal(pod.sparing, false);
    assert.equal(guard.repairs, 0);
  });

  it('tells of a pod whose path leads elsewhere, and of one whose path is gone', async () => {
    const [stays, moved, gone] = podsInside(3) as [Pod, Pod, Pod];
    (moved.netns as { path: string }).path = '/proc/self/ns/mnt';
    (gone.netns as { path: string }).path = '/proc/self/ns/no-such';
    const { guard, pass, vanished } = guardOf([stays, moved, gone]);
    await pass(2 * GLANCE_EVERY_MS);
    guard.close();
    assert.deepEqual(new Set(vanished), new Set([moved, gone]));
  });
});
