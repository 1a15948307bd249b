import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetrics } from '../../../../deploy/demo/mesh/metrics.ts';
import { percentileMs, requestsOf } from '../../../../deploy/demo/mesh/requests.ts';

const EDGE =
  'reporter="source",source_workload="calculator/mathfanboy-1",destination_service="calculator/percentage"';

function page(ok: number, failed: number, buckets: readonly number[]): string {
  const bounds = ['0.01', '0.1', '+Inf'];
  return [
    `nodemesh_requests_total{${EDGE},status_class="2xx"} ${ok}`,
    `nodemesh_requests_total{${EDGE},status_class="5xx"} ${failed}`,
    `nodemesh_requests_total{${EDGE.replace('source"', 'destination"')},status_class="2xx"} 1000`,
    ...buckets.map(
      (count, i) => `nodemesh_request_seconds_bucket{${EDGE},status_class="2xx",le="${bounds[i]}"} ${count}`,
    ),
  ].join('\n');
}

const read = (text: string) => requestsOf('mathfanboy', 'percentage', parseMetrics(text));

test('requests are counted as their callers see them', () => {
  const { count, ok } = read(page(30, 10, [])) ?? assert.fail();
  assert.deepEqual([count, ok], [40, 30]);
  assert.equal(requestsOf('mathfanboy', 'addition', parseMetrics(page(1, 1, []))), undefined);
});

test('percentiles are bounds of buckets, of what came since', () => {
  const before = read(page(100, 0, [100, 100, 100]));
  const now = read(page(110, 0, [105, 109, 110])) ?? assert.fail();
  assert.equal(percentileMs(now, before, 0.5), 10);
  assert.equal(percentileMs(now, before, 0.9), 100);
  assert.equal(percentileMs(now, before, 0.99), Number.POSITIVE_INFINITY);
  assert.equal(percentileMs(now, undefined, 0.5), 10);
  assert.equal(percentileMs(now, now, 0.5), undefined);
});
