import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLog } from '#base/log.ts';
import type { Capture } from '#capture';
import type { NetnsHandle } from '../../../../node-proxy/kernel/index.ts';
import { CaptureGuard, LOOK_EVERY_MS } from '../../../../node-proxy/pods/capture-guard.ts';
import { Pod } from '../../../../node-proxy/pods/pod.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

function podsInside(count: number): Pod[] {
  return Array.from({ length: count }, (_, i) => {
    const netns = { id: `1:${i}`, path: `/run/netns/${i}`, fd: -1 } as NetnsHandle;
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

/** Says `complete` of every pod but those that are flushed; applying heals. */
class FakeCapture {
  readonly looks = new Map<string, number>();
  readonly flushed = new Set<string>();

  async inspect(netns: string): Promise<object> {
    this.looks.set(netns, (this.looks.get(netns) ?? 0) + 1);
    return this.flushed.has(netns)
      ? { state: 'missing', differences: ['all gone'] }
      : { state: 'complete', differences: [] };
  }

  async apply(netns: string): Promise<void> {
    this.flushed.delete(netns);
  }
}

function guardOf(pods: Pod[]): {
  guard: CaptureGuard;
  capture: FakeCapture;
  pass: (ms: number) => Promise<void>;
} {
  const capture = new FakeCapture();
  const clock = new FakeClock();
  const guard = new CaptureGuard(
    capture as unknown as Capture,
    () => ({ probeSources: [] }),
    () => [...pods],
    clock,
    silentLog,
  );
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1) {
      clock.advance(1);
      await turn();
    }
  };
  return { guard, capture, pass };
}

describe('the capture guard', () => {
  for (const count of [1, 3, 60]) {
    it(`looks at each of ${count} pods once in ${LOOK_EVERY_MS} ms`, async () => {
      const { guard, capture, pass } = guardOf(podsInside(count));
      await pass(2.2 * LOOK_EVERY_MS);
      guard.close();
      assert.equal(capture.looks.size, count);
      // The first round starts at once, and so may the third.
      for (const looks of capture.looks.values()) assert.ok(looks === 2 || looks === 3, `${looks} looks`);
    });
  }

  it('repairs and counts what was flushed, but not the end of sparing', async () => {
    const [flushed, spared] = podsInside(2) as [Pod, Pod];
    const { guard, capture, pass } = guardOf([flushed, spared]);
    spared.sparing = true;
    for (const { netns } of [flushed, spared]) capture.flushed.add(netns.path);
    await pass(LOOK_EVERY_MS + 100);
    assert.equal(guard.repairs, 1);
    assert.equal(capture.flushed.size, 0);
    assert.equal(spared.sparing, false);
    capture.flushed.add(spared.netns.path);
    await pass(2 * LOOK_EVERY_MS);
    guard.close();
    assert.equal(guard.repairs, 2);
  });
});
