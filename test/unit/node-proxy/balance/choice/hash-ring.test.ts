import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Replica } from '#api';
import { HashRing, pointCounts } from '../../../../../node-proxy/balance/choice/hash-ring.ts';
import { hashText, type LoadedEndpoint } from '../../../../../node-proxy/balance/index.ts';
import { replica, replicas, ServiceRig } from '../../../../lib/balance/service-rig.ts';

const kind = 'ringHash';
const KEYS = Array.from({ length: 4_000 }, (_, i) => hashText(`user-${i}`));
const rigOf = (set: readonly Replica[]) => new ServiceRig(set, { kind, breaker: { maxEjected: 1 } });
const home = (rig: ServiceRig, key: number, tried: readonly LoadedEndpoint[] = []) =>
  rig.pick(tried, key)?.endpoint.replica.address;
const homes = (rig: ServiceRig) => KEYS.map(key => home(rig, key));

/** Shares of keys that have another home than before. */
const moved = (before: readonly unknown[], after: readonly unknown[]) =>
  before.filter((address, i) => address !== after[i]).length / before.length;

describe('a ring of hashes', () => {
  it('keeps a key at its endpoint, in every worker and in any order of replicas', () => {
    const set = replicas(7);
    assert.deepEqual(homes(rigOf(set)), homes(rigOf(set.toReversed())));
  });

  it('spreads keys by weight', () => {
    const rig = rigOf(replicas(8).map((r, i) => ({ ...r, weight: i === 0 ? 3 : 1 })));
    const counts = new Map<unknown, number>();
    for (const address of homes(rig)) counts.set(address, (counts.get(address) ?? 0) + 1);
    for (const { endpoint, weight } of rig.client.endpoints) {
      const part = (counts.get(endpoint.replica.address) ?? 0) / KEYS.length;
      // 128 points: a relative deviation of 9 % each, and that of the sample.
      assert.ok(Math.abs(part / (weight / 10) - 1) < 0.35, `${part} for weight ${weight}`);
    }
  });

  it('moves to a new endpoint only its share, and nothing between others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 250 }), (count, part) => {
        const set = replicas(count);
        const added = replica(`10.9.9.${part}:80`);
        const before = homes(rigOf(set));
        const after = homes(rigOf([...set, added]));
        before.forEach((address, i) => {
          if (after[i] !== address) assert.equal(after[i], added.address);
        });
        const share = moved(before, after) * (count + 1);
        assert.ok(share > 0.5 && share < 1.6, `${share} of 1/${count + 1}`);
      }),
      { numRuns: 25 },
    );
  });

  it('moves little more than a share where endpoints are too many for all their points', () => {
    for (const count of [64, 100, 200]) {
      const before = homes(rigOf(replicas(count)));
      const after = homes(rigOf(replicas(count + 1)));
      assert.ok(moved(before, after) < 3.5 / count, `${moved(before, after)} at ${count}`);
    }
  });

  it('sends the keys of an endpoint that is out to others, each always to the same, and back', () => {
    const rig = rigOf(replicas(5));
    const before = homes(rig);
    const out = rig.at(2);
    rig.eject(out);
    const meanwhile = homes(rig);
    const others = new Set<unknown>();
    before.forEach((address, i) => {
      if (address !== out.endpoint.replica.address) assert.equal(meanwhile[i], address);
      else others.add(meanwhile[i]);
    });
    assert.equal(others.size, 4, 'the load of one that is out goes to all others');
    assert.deepEqual(homes(rig), meanwhile);
    rig.nowMs += 10_000;
    rig.attempt(out, 'success');
    assert.deepEqual(homes(rig), before);
  });

  it('moves nobody twice when a terminating endpoint goes', () => {
    const set = replicas(5);
    const rig = rigOf(set.map((r, i) => (i === 1 ? { ...r, terminating: true } : r)));
    const meanwhile = homes(rig);
    assert.ok(!meanwhile.includes(set[1]?.address));
    rig.update(set.toSpliced(1, 1), { kind, breaker: { maxEjected: 1 } });
    assert.deepEqual(homes(rig), meanwhile);
  });

  it('goes along the ring for other attempts, always the same way', () => {
    const rig = rigOf(replicas(4));
    for (const key of KEYS.slice(0, 200)) {
      const first = rig.pick([], key) as LoadedEndpoint;
      const second = rig.pick([first], key) as LoadedEndpoint;
      const third = rig.pick([first, second], key) as LoadedEndpoint;
      assert.equal(new Set([first, second, third]).size, 3);
      assert.equal(rig.pick([first], key), second);
    }
  });

  it('finds the last one of many', () => {
    const rig = rigOf(replicas(60));
    for (let i = 0; i < 59; i++) rig.eject(rig.at(i));
    for (const key of KEYS.slice(0, 200)) assert.equal(rig.pick([], key), rig.at(59));
  });

  it('takes any endpoint for a request without a hash', () => {
    assert.equal(rigOf(replicas(5)).counts(500).size, 5);
  });
});

describe('points of a ring', () => {
  it('are bounded, at least one each, and none without weight', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1e3, noNaN: true })), {
          maxLength: 300,
        }),
        weights => {
          const counts = pointCounts(weights);
          assert.ok(counts.reduce((sum, count) => sum + count, 0) <= 8_192 + weights.length);
          counts.forEach((count, i) => {
            assert.equal(count > 0, (weights[i] as number) > 0);
          });
        },
      ),
    );
  });

  it('do not change for others when one comes', () => {
    assert.deepEqual(pointCounts([1, 1, 2]).slice(0, 2), pointCounts([1, 1]));
    assert.deepEqual(pointCounts([5, 5, 5]).slice(0, 2), pointCounts([5, 5]));
  });

  it('do not depend on the unit in which weights are given', () => {
    assert.deepEqual(pointCounts([0.01, 0.01]), [164, 164]);
    assert.deepEqual(pointCounts([1, 2, 3]), [128, 256, 384]);
    assert.deepEqual(pointCounts([1_024, 2_048, 3_072]), [128, 256, 384]);
    assert.deepEqual(pointCounts([1 / 64, 1 / 32, 3 / 64]), [128, 256, 384]);
  });

  it('are 8,192 of thousands of endpoints', () => {
    const rig = rigOf(replicas(3_000));
    assert.ok(new HashRing(rig.client.endpoints).points <= 9_000);
  });
});
