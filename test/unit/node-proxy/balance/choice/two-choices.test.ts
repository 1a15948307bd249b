import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BalancerKind } from '#api';
import type { LoadedEndpoint } from '../../../../../node-proxy/balance/index.ts';
import { assertShare, replica, replicas, ServiceRig } from '../../../../lib/balance/service-rig.ts';

/** Requests at a steady rate against endpoints with service times; a discrete simulation of the worker's view. */
class Simulation {
  readonly rig: ServiceRig;
  readonly #tookMs: (endpoint: LoadedEndpoint) => number;
  readonly #running: { endMs: number; tookMs: number; endpoint: LoadedEndpoint; epoch: number }[] = [];
  readonly failing = new Set<LoadedEndpoint>();
  most = new Map<LoadedEndpoint, number>();
  counts = new Map<LoadedEndpoint, number>();

  constructor(rig: ServiceRig, tookMs: (endpoint: LoadedEndpoint) => number) {
    this.rig = rig;
    this.#tookMs = tookMs;
  }

  run(requests: number, everyMs: number): this {
    this.counts = new Map();
    for (let i = 0; i < requests; i++) {
      this.rig.nowMs += everyMs;
      this.#finish();
      const endpoint = this.rig.pick();
      assert.ok(endpoint !== undefined);
      const tookMs = this.failing.has(endpoint) ? 0.1 : this.#tookMs(endpoint);
      const epoch = endpoint.begin(this.rig.nowMs);
      this.#running.push({ endMs: this.rig.nowMs + tookMs, tookMs, endpoint, epoch });
      this.counts.set(endpoint, (this.counts.get(endpoint) ?? 0) + 1);
      this.most.set(endpoint, Math.max(this.most.get(endpoint) ?? 0, endpoint.pending));
    }
    return this;
  }

  #finish(): void {
    for (let i = this.#running.length - 1; i >= 0; i--) {
      const request = this.#running[i];
      if (request === undefined || request.endMs > this.rig.nowMs) continue;
      this.#running.splice(i, 1);
      const outcome = this.failing.has(request.endpoint) ? 'failure' : 'success';
      request.endpoint.end(outcome, request.tookMs, request.endMs, request.epoch);
    }
  }
}

const share = (simulation: Simulation, endpoint: LoadedEndpoint): number => {
  const total = [...simulation.counts.values()].reduce((sum, count) => sum + count, 0);
  return (simulation.counts.get(endpoint) ?? 0) / total;
};

for (const kind of ['peakEwma', 'leastRequest'] as const satisfies BalancerKind[]) {
  describe(`two choices, ${kind}`, () => {
    it('spreads requests evenly over equal endpoints', () => {
      const rig = new ServiceRig(replicas(10), { kind });
      const simulation = new Simulation(rig, () => 5 + rig.random()).run(10_000, 0.5);
      for (const endpoint of rig.client.endpoints) {
        assert.ok(Math.abs(share(simulation, endpoint) - 0.1) < 0.02, `${share(simulation, endpoint)}`);
      }
    });

    it('holds the shares of weights while there is little to do', () => {
      const rig = new ServiceRig(
        replicas(4).map((r, i) => ({ ...r, weight: i + 1 })),
        { kind },
      );
      const counts = rig.counts(20_000);
      [...rig.client.endpoints].forEach((endpoint, i) => {
        assertShare(counts.get(endpoint.endpoint.replica.address) ?? 0, 20_000, (i + 1) / 10);
      });
    });

    it('fills endpoints in the proportion of their weights while there is much to do', () => {
      const rig = new ServiceRig([replica('10.0.0.1:80', { weight: 3 }), replica('10.0.0.2:80')], { kind });
      for (let i = 0; i < 400; i++) rig.pick()?.begin(rig.nowMs);
      assert.ok(Math.abs(rig.at(0).pending - 300) <= 20, `${rig.at(0).pending}`);
    });

    it('gives a slow endpoint less', () => {
      const rig = new ServiceRig(replicas(5), { kind });
      const slow = rig.at(0);
      const simulation = new Simulation(rig, endpoint => (endpoint === slow ? 200 : 5)).run(5_000, 0.5);
      assert.ok(share(simulation, slow) < 0.05, `${share(simulation, slow)}`);
    });

    it('gives a new endpoint its share at once, neither a flood nor a famine', () => {
      const rig = new ServiceRig(replicas(9), { kind });
      const simulation = new Simulation(rig, () => 5 + rig.random()).run(5_000, 0.5);
      rig.update(replicas(10), { kind });
      simulation.run(2_000, 0.5);
      const added = rig.at(9);
      assert.ok(Math.abs(share(simulation, added) - 0.1) < 0.05, `${share(simulation, added)}`);
      assert.ok((simulation.most.get(added) ?? 0) <= 4, `${simulation.most.get(added)} at once`);
    });

    it('never picks one endpoint twice for a request while another is left', () => {
      const rig = new ServiceRig(replicas(3), { kind });
      for (let i = 0; i < 200; i++) {
        const first = rig.pick() as LoadedEndpoint;
        const second = rig.pick([first]) as LoadedEndpoint;
        const third = rig.pick([first, second]) as LoadedEndpoint;
        assert.equal(new Set([first, second, third]).size, 3);
      }
    });
  });
}

describe('peak EWMA', () => {
  it('is not drawn to an endpoint because it fails fast', () => {
    const kind = 'peakEwma';
    const rig = new ServiceRig(replicas(5), { kind, breaker: { failures: 0 } });
    const simulation = new Simulation(rig, () => 5).run(2_000, 1);
    simulation.failing.add(rig.at(0));
    simulation.run(60_000, 1);
    assert.ok(share(simulation, rig.at(0)) < 0.35, `${share(simulation, rig.at(0))}`);
  });

  it('probes an endpoint that is due with the first request that draws it, however slow it was', () => {
    const rig = new ServiceRig(replicas(2), { kind: 'peakEwma' });
    rig.attempt(rig.at(1), 'success', 1);
    rig.attempt(rig.at(0), 'success', 60_000);
    rig.eject(rig.at(0));
    rig.nowMs += 5_000;
    assert.equal(rig.pick(), rig.at(0));
  });

  it('comes back to an endpoint that was slow once', () => {
    const kind = 'peakEwma';
    const rig = new ServiceRig(replicas(2), { kind });
    const once = rig.at(0);
    let tookMs = 500;
    const simulation = new Simulation(rig, endpoint => (endpoint === once ? tookMs : 5)).run(20, 1);
    tookMs = 5;
    simulation.run(100, 1);
    assert.ok(share(simulation, once) < 0.1, `${share(simulation, once)}`);
    simulation.run(60_000, 1).run(5_000, 1);
    assert.ok(share(simulation, once) > 0.3, `${share(simulation, once)}`);
  });
});
