import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Name } from '../../../bench/l7/contenders.ts';
import type { Results } from '../../../bench/l7/figures.ts';
import { renderReport } from '../../../bench/l7/report.ts';
import { comparisons, judge, type Verdict } from '../../../bench/l7/verdicts.ts';
import { FULL, GROUPS, type Measured, type Round, workId, workOf } from '../../../bench/l7/work.ts';

/** @param cpu µs per request. */
function cost(cpu: number): Measured {
  return { units: 1000, wallMs: 100, cpuMs: cpu, ownCpuMs: 7 };
}

function paced(p99: number): Measured {
  return { ...cost(50), p50: 0.3, p99, p999: 9, max: 10, lateP99: 0.1 };
}

/** Every kind of work with the same figures, but for latency, which is the rate's. */
function round(figures: Partial<Record<Name, { cpu: number; p99: number }>>): Round {
  const made: Round = {};
  for (const { id, group } of workOf(FULL, new Set(GROUPS)))
    made[id] = Object.fromEntries(
      Object.entries(figures).map(([name, { cpu, p99 }]) => [
        name,
        group.startsWith('paced') ? paced(p99) : cost(cpu),
      ]),
    );
  return made;
}

const PEERS = { haproxy: { cpu: 20, p99: 1 }, nginx: { cpu: 30, p99: 1 } };
const L4 = { 'mesh-l4-near': { cpu: 20, p99: 1 }, 'mesh-l4-far': { cpu: 60, p99: 2 } };

function outcomes(results: Results): Map<string, Verdict['outcome']> {
  const found = new Map<string, Verdict['outcome']>();
  for (const comparison of comparisons(FULL)) {
    const verdict = judge(results, comparison);
    if (verdict?.outcome !== undefined)
      found.set(`${comparison.ours} ${comparison.work} vs ${comparison.theirs}`, verdict.outcome);
  }
  return found;
}

test('targets: 1.6 times haproxy, 2 times nginx, half a millisecond over L4', () => {
  const at = (cpu: number, added: number) =>
    outcomes({
      rounds: [
        round({
          ...PEERS,
          ...L4,
          'mesh-near': { cpu, p99: 1 + added },
          'mesh-far': { cpu, p99: 2 + added },
        }),
      ],
    });
  const good = at(32, 0.5);
  assert.equal(good.size, 3 + 2 + 3 + 4);
  assert.deepEqual(new Set(good.values()), new Set(['reached']));
  assert.equal(at(33, 0).get('mesh-near http 1024 vs haproxy'), 'not reached');
  assert.equal(at(33, 0).get('mesh-near post 1024 vs haproxy'), 'not reached');
  assert.equal(at(33, 0).get('mesh-near grpc 1024 vs nginx'), 'reached');
  assert.equal(at(61, 0).get('mesh-near grpc 0 vs nginx'), 'not reached');
  assert.equal(at(20, 0.6).get('mesh-far paced 1000 vs mesh-l4-far'), 'not reached');
  assert.equal(at(20, -0.2).get('mesh-near paced-grpc 1000 vs mesh-l4-near'), 'reached');
});

test('ratios and differences are taken within a round; their median decides', () => {
  const rounds = [
    round({ haproxy: { cpu: 10, p99: 1 }, 'mesh-near': { cpu: 20, p99: 1.1 }, ...L4 }),
    round({ haproxy: { cpu: 40, p99: 1 }, 'mesh-near': { cpu: 48, p99: 1.4 }, ...L4 }),
    round({ haproxy: { cpu: 20, p99: 1 }, 'mesh-near': { cpu: 30, p99: 1.2 }, ...L4 }),
  ];
  const verdict = (theirs: Name, work: string) => {
    const comparison = comparisons(FULL).find(
      one => one.ours === 'mesh-near' && one.theirs === theirs && one.work === work,
    );
    return comparison === undefined ? undefined : judge({ rounds }, comparison);
  };
  const cpu = verdict('haproxy', workId('http', 0));
  assert.deepEqual(cpu?.spread, { median: 1.5, min: 1.2, max: 2 });
  assert.equal(cpu?.outcome, 'reached');
  const added = verdict('mesh-l4-near', workId('paced', 1_000))?.spread;
  assert.deepEqual(
    [added?.median, added?.min, added?.max].map(value => value?.toFixed(3)),
    ['0.200', '0.100', '0.400'],
  );
  assert.equal(verdict('nginx', workId('http', 0)), undefined, 'nginx was not measured');
});

test('a peer that failed at some work has no figure for it, and the report says so', () => {
  const made = round({ ...PEERS, ...L4, 'mesh-near': { cpu: 25, p99: 1.2 } });
  delete made[workId('http', 0)]?.haproxy;
  const text = renderReport({ rounds: [made], failures: ['http 0 through haproxy failed: reset'] }, FULL);
  assert.match(text, /Peers without a figure[\s\S]*http 0 through haproxy failed: reset/);
  assert.doesNotMatch(text, /CPU per HTTP\/1\.1 request, 0 B +nodemesh L7, one hop +haproxy/);
  assert.match(text, /CPU per HTTP\/1\.1 request, 1 KB +nodemesh L7, one hop +haproxy/);
});

test('the report shows who was measured, and verdicts with their range', () => {
  const results = {
    rounds: [
      round({ ...PEERS, ...L4, 'direct-near': { cpu: 0, p99: 0.4 }, 'mesh-near': { cpu: 25, p99: 1.2 } }),
      round({ ...PEERS, ...L4, 'direct-near': { cpu: 0, p99: 0.4 }, 'mesh-near': { cpu: 27, p99: 1.2 } }),
    ],
  };
  const text = renderReport(results, FULL);
  assert.match(text, /Medians of 2 round\(s\)/);
  assert.match(text, /nodemesh L7, one hop +26\.0 \[25\.0–27\.0\]/);
  assert.match(
    text,
    /CPU per HTTP\/1\.1 request, 16 KB +nodemesh L7, one hop +haproxy, one hop +× 1\.30 \[1\.25–1\.35\] +≤ 1\.6 +reached/,
  );
  assert.match(text, /p99 added over L4, HTTP\/1\.1 at 1000\/s .* ms 0\.20 +≤ 0\.5 +reached/);
  assert.doesNotMatch(text, /envoy|node:http2/);
  const [costs] = text.split('\n\n').filter(part => part.includes('haproxy, one hop'));
  assert.doesNotMatch(costs ?? '', /direct/, 'a direct connection has no proxy that costs anything');
});

test('without nodemesh there is nothing to judge', () => {
  const text = renderReport({ rounds: [round(PEERS)] }, FULL);
  assert.match(text, /nothing to compare/);
});
