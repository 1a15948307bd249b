import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetrics, sum } from '../../../../deploy/demo/mesh/metrics.ts';

const TEXT = `# HELP opened_total Connections.
# TYPE opened_total counter
opened_total{source="a/b",note="say \\"hi\\", {x}\\n"} 3
opened_total{source="c/d"} 4.5
up 1
`;

test('samples are read with their labels, escapes included', () => {
  assert.deepEqual(parseMetrics(TEXT), [
    { name: 'opened_total', labels: { source: 'a/b', note: 'say "hi", {x}\n' }, value: 3 },
    { name: 'opened_total', labels: { source: 'c/d' }, value: 4.5 },
    { name: 'up', labels: {}, value: 1 },
  ]);
});

test('a sum takes the samples whose labels fit', () => {
  const samples = parseMetrics(TEXT);
  assert.equal(sum(samples, 'opened_total'), 7.5);
  assert.equal(sum(samples, 'opened_total', { source: 'c/d' }), 4.5);
  assert.equal(sum(samples, 'opened_total', { source: 'nobody' }), 0);
});
