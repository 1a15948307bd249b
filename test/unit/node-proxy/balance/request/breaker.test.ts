import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { replicas, ServiceRig } from '../../../../lib/balance/service-rig.ts';

const KINDS = ['peakEwma', 'leastRequest', 'roundRobin', 'ringHash'] as const;
const hashes = (i: number) => Math.imul(i, 0x9e3779b1) >>> 0;

for (const kind of KINDS) {
  describe(`the breaker under ${kind}`, () => {
    it('opens after five failures in a row: the endpoint gets nothing', () => {
      const rig = new ServiceRig(replicas(4), { kind });
      for (let i = 0; i < 4; i++) rig.attempt(rig.at(0), 'failure');
      rig.attempt(rig.at(0), 'success');
      for (let i = 0; i < 4; i++) rig.attempt(rig.at(0), 'failure');
      assert.equal(rig.client.ejected, 0);
      rig.attempt(rig.at(0), 'failure');
      assert.equal(rig.client.ejected, 1);
      assert.equal(rig.client.ejections, 1);
      assert.equal(rig.counts(1_000, hashes).has('10.0.0.1:80'), false);
    });

    it('lets one request probe when the back-off is over, and returns after its success', () => {
      const rig = new ServiceRig(replicas(2), { kind });
      rig.eject(rig.at(0));
      rig.nowMs += 2_499;
      assert.equal(rig.counts(200, hashes).has('10.0.0.1:80'), false, 'half of 5 s is the least back-off');
      rig.nowMs += 2_501;
      let probe = rig.pick([], 0);
      for (let i = 0; i < 50 && probe !== rig.at(0); i++) probe = rig.pick([], hashes(i));
      assert.equal(probe, rig.at(0));
      const epoch = rig.at(0).begin(rig.nowMs);
      assert.equal(rig.counts(200, hashes).has('10.0.0.1:80'), false, 'the others avoid it meanwhile');
      rig.at(0).end('success', 1, rig.nowMs, epoch);
      assert.equal(rig.client.ejected, 0);
      assert.ok((rig.counts(400, hashes).get('10.0.0.1:80') ?? 0) > 100);
    });
  });
}

describe('a probe', () => {
  const due = () => {
    const rig = new ServiceRig(replicas(2));
    rig.eject(rig.at(0));
    rig.nowMs += 5_000;
    return { rig, endpoint: rig.at(0), epoch: rig.at(0).begin(rig.nowMs) };
  };

  it('that fails makes the back-off longer, and is not another ejection', () => {
    const { rig, endpoint, epoch } = due();
    endpoint.end('failure', 1, rig.nowMs, epoch);
    assert.equal(rig.client.ejections, 1);
    assert.equal(rig.client.ejected, 1);
    assert.equal(endpoint.accrual.available(rig.nowMs + 4_999), false);
    assert.equal(endpoint.accrual.available(rig.nowMs + 10_000), true);
  });

  it('that was given up is made again by the next request', () => {
    const { rig, endpoint, epoch } = due();
    assert.equal(endpoint.accrual.available(rig.nowMs), false);
    endpoint.end('ignored', 1, rig.nowMs, epoch);
    assert.equal(endpoint.accrual.available(rig.nowMs), true);
    assert.equal(rig.client.ejected, 1);
  });

  it('that stays open without a word lets another one try after 30 s, and either may answer', () => {
    const { rig, endpoint, epoch } = due();
    rig.nowMs += 29_999;
    assert.equal(endpoint.accrual.available(rig.nowMs), false);
    rig.nowMs += 1;
    assert.equal(endpoint.accrual.available(rig.nowMs), true);
    endpoint.begin(rig.nowMs);
    assert.equal(endpoint.accrual.available(rig.nowMs), false);
    endpoint.end('success', 1, rig.nowMs, epoch);
    assert.equal(endpoint.accrual.healthy, true);
  });

  it('is not answered for by requests from before the ejection', () => {
    const rig = new ServiceRig(replicas(2));
    const endpoint = rig.at(0);
    const early = [0, 1, 2].map(() => endpoint.begin(rig.nowMs));
    rig.eject(endpoint);
    endpoint.end('success', 1, rig.nowMs, early[0] as number);
    assert.equal(endpoint.accrual.state, 'ejected');
    rig.nowMs += 5_000;
    const probe = endpoint.begin(rig.nowMs);
    endpoint.end('failure', 9_000, rig.nowMs, early[1] as number);
    endpoint.end('ignored', 9_000, rig.nowMs, early[2] as number);
    assert.equal(endpoint.accrual.state, 'probing');
    endpoint.end('success', 1, rig.nowMs, probe);
    assert.equal(endpoint.accrual.healthy, true);
    assert.equal(endpoint.pending, 0);
  });
});

describe('the share that may be ejected', () => {
  const ejectable = (count: number, maxEjected: number): number => {
    const rig = new ServiceRig(replicas(count), { breaker: { maxEjected } });
    for (let i = 0; i < 10; i++)
      for (const endpoint of rig.client.endpoints) rig.attempt(endpoint, 'failure');
    return rig.client.ejected;
  };

  it('is rounded down: a single endpoint goes on being asked, as with Linkerd and Envoy', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 10].map(count => ejectable(count, 0.5)),
      [0, 1, 1, 2, 2, 5],
    );
    assert.equal(ejectable(1, 1), 1);
    assert.equal(ejectable(9, 0.1), 0);
    assert.equal(ejectable(100, 0.29), 29);
    assert.equal(ejectable(10, 1), 10);
  });

  it('keeps the rest in service although it fails, so nothing is shed', () => {
    const rig = new ServiceRig(replicas(4));
    for (let i = 0; i < 10; i++)
      for (const endpoint of rig.client.endpoints) rig.attempt(endpoint, 'failure');
    const counts = rig.counts(400);
    assert.equal(counts.has('shed'), false);
    assert.equal(counts.size, 2);
  });

  it('lets the next one go as soon as there is room, at its next failure', () => {
    const rig = new ServiceRig(replicas(2));
    rig.eject(rig.at(0));
    for (let i = 0; i < 8; i++) rig.attempt(rig.at(1), 'failure');
    assert.equal(rig.at(1).accrual.healthy, true);
    rig.nowMs += 5_000;
    rig.attempt(rig.at(0), 'success');
    rig.attempt(rig.at(1), 'failure');
    assert.equal(rig.at(1).accrual.state, 'ejected');
  });

  it('lets those that are out probe at once when a snapshot leaves too few others', () => {
    const rig = new ServiceRig(replicas(4));
    rig.eject(rig.at(0));
    rig.eject(rig.at(1));
    rig.update(replicas(2));
    assert.equal(rig.counts(50).has('shed'), false);
    assert.equal(rig.at(0).accrual.available(rig.nowMs), true);
  });

  it('is never exceeded, whatever happens to the endpoints', () => {
    const act = fc.record({
      at: fc.nat(9),
      outcome: fc.constantFrom('success', 'failure', 'failure', 'failure', 'ignored'),
      passMs: fc.constantFrom(0, 0, 0, 100, 6_000),
      endFirst: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(act, { maxLength: 200 }),
        (count, maxEjected, acts) => {
          const rig = new ServiceRig(replicas(count), { breaker: { failures: 2, maxEjected } });
          const limit = Math.floor(count * maxEjected + 1e-9);
          const open: (() => void)[] = [];
          for (const { at, outcome, passMs, endFirst } of acts) {
            rig.nowMs += passMs;
            if (endFirst) open.shift()?.();
            const endpoint = rig.at(at % count);
            const epoch = endpoint.begin(rig.nowMs);
            open.push(() => endpoint.end(outcome as 'success', 1, rig.nowMs, epoch));
            const out = rig.client.endpoints.filter(({ accrual }) => !accrual.healthy).length;
            assert.equal(rig.client.ejected, out);
            assert.ok(out <= limit, `${out} of ${count} at ${maxEjected}`);
            assert.ok(out === count || rig.pick() !== undefined, 'shed although one was healthy');
          }
          for (const end of open) end();
          for (const endpoint of rig.client.endpoints) assert.equal(endpoint.pending, 0);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a service of which all is ejected', () => {
  it('sheds, probes with one request, and recovers', () => {
    const rig = new ServiceRig(replicas(1), { breaker: { maxEjected: 1 } });
    rig.eject(rig.at(0));
    assert.equal(rig.pick(), undefined);
    rig.nowMs += 5_000;
    const probe = rig.pick();
    assert.equal(probe, rig.at(0));
    const epoch = rig.at(0).begin(rig.nowMs);
    assert.equal(rig.pick(), undefined);
    rig.at(0).end('success', 1, rig.nowMs, epoch);
    assert.equal(rig.pick(), rig.at(0));
  });
});

describe('settings of the breaker', () => {
  it('of 0 failures never eject, and let go whoever is out', () => {
    const rig = new ServiceRig(replicas(2));
    rig.eject(rig.at(0));
    rig.update(replicas(2), { breaker: { failures: 0 } });
    assert.equal(rig.client.ejected, 0);
    for (let i = 0; i < 100; i++) rig.attempt(rig.at(1), 'failure');
    assert.equal(rig.client.ejected, 0);
  });

  it('apply to endpoints that exist', () => {
    const rig = new ServiceRig(replicas(2));
    const endpoint = rig.at(0);
    rig.update(replicas(2), { breaker: { failures: 1, minMs: 100, maxMs: 100 } });
    assert.equal(rig.at(0), endpoint);
    rig.attempt(endpoint, 'failure');
    assert.equal(endpoint.accrual.state, 'ejected');
    assert.equal(endpoint.accrual.available(rig.nowMs + 100), true);
  });

  it('that are the same change nothing, not even the growth of a back-off', () => {
    const rig = new ServiceRig(replicas(2));
    rig.eject(rig.at(0));
    rig.nowMs += 5_000;
    rig.attempt(rig.at(0), 'failure');
    rig.update(replicas(2));
    rig.nowMs += 10_000;
    rig.attempt(rig.at(0), 'failure');
    assert.equal(rig.at(0).accrual.available(rig.nowMs + 9_999), false, 'the third back-off is 10 s to 20 s');
  });
});
