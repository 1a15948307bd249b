import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { LoadedEndpoint } from '../../../../../node-proxy/balance/index.ts';
import { replicas, ServiceRig } from '../../../../lib/balance/service-rig.ts';

const kind = 'roundRobin';
const rigOf = (weights: readonly number[], seed = 1) =>
  new ServiceRig(
    replicas(weights.length).map((replica, i) => ({ ...replica, weight: weights[i] as number })),
    { kind },
    seed,
  );

describe('round robin', () => {
  it('takes every endpoint once in each round', () => {
    const rig = rigOf([1, 1, 1, 1, 1]);
    for (let round = 0; round < 20; round++) {
      assert.equal(new Set(Array.from({ length: 5 }, () => rig.pick())).size, 5);
    }
  });

  it('keeps the weights exactly, and at every moment to within one pick each', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        (weights, seed) => {
          const rig = rigOf(weights, seed);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const counts = weights.map(() => 0);
          for (let i = 1; i <= total * 3; i++) {
            const index = rig.client.endpoints.indexOf(rig.pick() as LoadedEndpoint);
            counts[index] = (counts[index] as number) + 1;
            counts.forEach((count, at) => {
              const due = (i * (weights[at] as number)) / total;
              // The phases and the deadlines of the others each shift an endpoint by less than one turn.
              assert.ok(Math.abs(count - due) < 2, `${count} instead of ${due} of ${i}`);
            });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not serve a heavy endpoint in a burst', () => {
    const rig = rigOf([5, 5, 1]);
    let run = 0;
    for (let i = 0; i < 110; i++) {
      run = rig.pick() === rig.at(0) ? run + 1 : 0;
      assert.ok(run <= 2, `${run} in a row`);
    }
  });

  it('begins at another endpoint in every worker', () => {
    const firsts = new Set(
      Array.from({ length: 40 }, (_, seed) => rigOf([1, 1, 1, 1], seed * 97).pick()?.endpoint.ip),
    );
    assert.equal(firsts.size, 4);
  });

  it('passes over endpoints that are out, and owes them nothing when they return', () => {
    const rig = rigOf([50, 1, 1, 1]);
    rig.eject(rig.at(0));
    const counts = rig.counts(300);
    assert.deepEqual(
      [1, 2, 3].map(i => counts.get(`10.0.0.${i + 1}:80`)),
      [100, 100, 100],
    );
    rig.nowMs += 10_000;
    // After at most one round of the slowest the heavy one probes, and then has its share again.
    for (let i = 0; i < 8 && !rig.at(0).accrual.healthy; i++) {
      const endpoint = rig.pick() as LoadedEndpoint;
      rig.attempt(endpoint, 'success');
    }
    const after = rig.counts(530).get('10.0.0.1:80') ?? 0;
    assert.ok(Math.abs(after - 500) <= 3, `${after}`);
  });

  it('asks another one for another attempt', () => {
    const rig = rigOf([9, 1]);
    for (let i = 0; i < 50; i++) {
      const first = rig.pick() as LoadedEndpoint;
      assert.notEqual(rig.pick([first]), first);
    }
  });
});
