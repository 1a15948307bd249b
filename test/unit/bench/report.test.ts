import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContenderName } from '../../../bench/contenders/contender.ts';
import type { Results, Round } from '../../../bench/l4.ts';
import { renderReport } from '../../../bench/report/report.ts';
import { COMPARISONS, judge, type Verdict } from '../../../bench/report/verdicts.ts';

type Figures = Record<ContenderName, { requests: number; connections: number; bulk: number; p99: number }>;

const HAPROXY = { requests: 40, connections: 2000, bulk: 2, p99: 1.5 };
const GOOD: Figures = {
  'direct-near': { requests: 0, connections: 0, bulk: 0, p99: 0.5 },
  'direct-far': { requests: 0, connections: 0, bulk: 0, p99: 0.5 },
  'haproxy-tcp': HAPROXY,
  'haproxy-mtls': HAPROXY,
  'haproxy-mtls-resumed': HAPROXY,
  'mesh-near': HAPROXY,
  'mesh-far': { requests: 36, connections: 500, bulk: 3, p99: 2 },
};

/** Costs in the units of the report: µs, µs, s/GB, ms. */
function round(figures: Figures): Round {
  const made: Round = { requests: {}, connections: {}, bulk: {}, paced: {} };
  for (const [name, { requests, connections, bulk, p99 }] of Object.entries(figures) as [
    ContenderName,
    Figures[ContenderName],
  ][]) {
    made.requests[name] = { units: 1000, wallMs: 1, cpuMs: requests };
    made.connections[name] = { units: 1000, wallMs: 1, cpuMs: connections };
    made.bulk[name] = { units: 1e9, wallMs: 1, cpuMs: bulk * 1000 };
    made.paced[name] = { units: 1000, wallMs: 1, cpuMs: 100, p50: 0.2, p99, p999: 3, max: 4, lateP99: 0.1 };
  }
  return made;
}

function results(...rounds: Round[]): Results {
  return { rounds, idle: {}, cni: undefined };
}

function verdicts(found: Results): Map<string, Verdict['outcome']> {
  const against = COMPARISONS.filter(
    ({ theirs, target }) => theirs === 'haproxy-mtls' && target !== undefined,
  );
  return new Map(against.map(comparison => [comparison.what, judge(found, comparison)?.outcome]));
}

test('a target is reached up to and at its ratio', () => {
  assert.deepEqual(
    [...verdicts(results(round(GOOD)))],
    [
      ['CPU per small request', 'reached'],
      ['CPU per new connection', 'reached'],
      ['CPU per GB', 'reached'],
      ['added p99 at the fixed rate', 'reached'],
    ],
  );
});

test('beyond its ratio it is not, and the median of the rounds decides', () => {
  const bad = round({ ...GOOD, 'mesh-far': { requests: 37, connections: 510, bulk: 3.1, p99: 2.1 } });
  assert.deepEqual([...new Set(verdicts(results(bad)).values())], ['not reached']);
  assert.deepEqual([...new Set(verdicts(results(bad, round(GOOD), bad)).values())], ['not reached']);
  assert.deepEqual([...new Set(verdicts(results(bad, round(GOOD), round(GOOD))).values())], ['reached']);
});

test('where the peer added no latency nothing is claimed', () => {
  const still = round({ ...GOOD, 'haproxy-mtls': { ...HAPROXY, p99: 0.4 } });
  assert.equal(verdicts(results(still)).get('added p99 at the fixed rate'), 'unclear');
  assert.match(renderReport(results(still), 1000), /theirs added nothing/);
});

test('the report names every figure, ratio and target', () => {
  const found = results(round(GOOD), round(GOOD));
  found.idle['mesh-far'] = [{ connections: 10_000, pss: 5e7, rss: 6e7 }];
  found.cni = { nodemesh: [40, 50, 60], ptp: [30, 30, 30] };
  const text = renderReport(found, 1000);
  assert.match(text, /^nodemesh mTLS, other node +36\.0 +100\.0 +500 +3\.00$/m);
  assert.match(
    text,
    /^CPU per new connection +nodemesh mTLS, other node +haproxy mTLS pair +0\.25 +≤ 0\.25 +reached$/m,
  );
  assert.match(text, /10,000 idle/);
  assert.match(text, /50\.0 MB \(60\.0 MB\)/);
  assert.match(text, /3 pods: 50 \[40–60\] ms; target ≤ 100 ms: reached/);
});

test('without our mesh the peers are still shown', () => {
  const { 'mesh-near': _near, 'mesh-far': _far, ...peers } = GOOD;
  const text = renderReport(results(round(peers as Figures)), 1000);
  assert.match(text, /haproxy mTLS pair/);
  assert.match(text, /nodemesh was not measured/);
});
