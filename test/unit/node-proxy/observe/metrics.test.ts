import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EdgeCounters } from '../../../../node-proxy/observe/edge-counters.ts';
import { NodeMetrics } from '../../../../node-proxy/observe/metrics.ts';
import type { FlowLabels } from '../../../../node-proxy/tunnel/index.ts';

const labels: FlowLabels = {
  reporter: 'source',
  sourceWorkload: 'calc/fanboy',
  sourceIdentity: 'spiffe://demo/ns/calc/sa/fanboy',
  destinationWorkload: 'calc/addition',
  destinationIdentity: 'spiffe://demo/ns/calc/sa/addition',
  destinationService: 'calc/addition',
  security: 'mutual_tls',
};
const LABELS =
  'reporter="source",source_workload="calc/fanboy",source_identity="spiffe://demo/ns/calc/sa/fanboy",' +
  'destination_workload="calc/addition",destination_identity="spiffe://demo/ns/calc/sa/addition",' +
  'destination_service="calc/addition",security="mutual_tls"';

async function scrape(counters: EdgeCounters, metrics: NodeMetrics): Promise<string> {
  metrics.add('w', counters.take());
  return metrics.registry.metrics();
}

describe('node metrics', () => {
  it('add up connections, bytes and refusals by edge', async () => {
    const counters = new EdgeCounters();
    const metrics = new NodeMetrics(() => 0);
    const [edge] = counters.flow(labels);
    edge?.opened(3);
    if (edge !== undefined) edge.sentBytes += 10;
    await scrape(counters, metrics);
    edge?.opened(30);
    edge?.closed();
    counters.refused(labels, 'policy');
    const text = await scrape(counters, metrics);
    assert.ok(text.includes(`nodemesh_connections_opened_total{${LABELS}} 2`), text);
    assert.ok(text.includes(`nodemesh_connections_open{${LABELS}} 1`));
    assert.ok(text.includes(`nodemesh_bytes_total{${LABELS},direction="sent"} 10`));
    assert.ok(text.includes(`nodemesh_refusals_total{${LABELS},reason="policy"} 1`));
  });

  it('forget the open connections of a worker that died, and no others', async () => {
    const metrics = new NodeMetrics(() => 0);
    for (const worker of ['tunnel-0', 'tunnel-1']) {
      const counters = new EdgeCounters();
      const [edge] = counters.flow(labels);
      for (let i = 0; i < 3; i++) edge?.opened(1);
      edge?.closed();
      metrics.add(worker, counters.take());
    }
    metrics.lost('tunnel-0');
    metrics.lost('tunnel-0');
    const text = await metrics.registry.metrics();
    assert.ok(text.includes(`nodemesh_connections_open{${LABELS}} 2`), text);
    assert.ok(text.includes(`nodemesh_connections_closed_total{${LABELS}} 4`), text);
  });

  it('print a histogram with cumulative buckets', async () => {
    const counters = new EdgeCounters();
    const [edge] = counters.flow(labels);
    for (const ms of [0.1, 3, 3, 9_999]) edge?.opened(ms);
    const text = await scrape(counters, new NodeMetrics(() => 0));
    assert.ok(text.includes(`nodemesh_connect_seconds_bucket{${LABELS},le="0.002"} 1`), text);
    assert.ok(text.includes(`nodemesh_connect_seconds_bucket{${LABELS},le="0.005"} 3`));
    assert.ok(text.includes(`nodemesh_connect_seconds_bucket{${LABELS},le="+Inf"} 4`));
    assert.ok(text.includes(`nodemesh_connect_seconds_count{${LABELS}} 4`));
  });

  it('count a connection within the node from both ends', () => {
    const counters = new EdgeCounters();
    for (const edge of counters.flow({ ...labels, reporter: 'both' })) edge.opened(1);
    assert.deepEqual(
      counters.take().map(({ labels: { reporter } }) => reporter),
      ['source', 'destination'],
    );
  });

  it('stay bounded however many edges somebody makes up', () => {
    const counters = new EdgeCounters();
    for (let i = 0; i < 6_000; i++) counters.refused({ ...labels, sourceWorkload: `w${i}` }, 'policy');
    const deltas = counters.take();
    assert.equal(deltas.length, 5_001);
    assert.equal(deltas.at(-1)?.labels.sourceWorkload, '(other)');
  });

  it('make room for new edges when old ones are not used, whatever is open', () => {
    const counters = new EdgeCounters();
    const edgeOf = (name: string) => counters.flow({ ...labels, sourceWorkload: name })[0];
    const open = edgeOf('open');
    open?.opened(1);
    for (let i = 1; i < 5_000; i++) {
      const gone = edgeOf(`gone-${i}`);
      gone?.opened(1);
      gone?.closed();
    }
    for (let i = 0; i < 700; i++) counters.take();
    assert.equal(counters.size, 1);
    if (open !== undefined) open.sentBytes += 7;
    assert.equal(counters.take()[0]?.sentBytes, 7);
    edgeOf('new')?.opened(1);
    assert.equal(counters.take()[0]?.labels.sourceWorkload, 'new');
  });

  it('go on counting on edges in use, however many several workers have', async () => {
    let nowMs = 0;
    const metrics = new NodeMetrics(() => nowMs);
    const workers = [0, 1].map(worker => {
      const counters = new EdgeCounters();
      const edges = Array.from(
        { length: 2_600 },
        (_, i) => counters.flow({ ...labels, sourceWorkload: `w${worker}-${i}` })[0],
      );
      return { counters, edges };
    });
    for (; nowMs < 3_000; nowMs += 1_000)
      workers.forEach(({ counters, edges }, worker) => {
        for (const edge of edges) {
          edge?.opened(1);
          edge?.closed();
        }
        metrics.add(`tunnel-${worker}`, counters.take());
      });
    const page = await metrics.registry.metrics();
    assert.equal(page.match(/^nodemesh_connections_opened_total\{.*\} 3$/gm)?.length, 5_200);
  });

  it('drop an edge that nobody has used for an hour, when nothing is open', async () => {
    let nowMs = 0;
    const counters = new EdgeCounters();
    const metrics = new NodeMetrics(() => nowMs);
    const [edge] = counters.flow(labels);
    edge?.opened(1);
    counters.refused(labels, 'policy');
    await scrape(counters, metrics);
    nowMs += 3_600_000;
    assert.match(await scrape(counters, metrics), /nodemesh_connections_open\{.*\} 1/);
    edge?.closed();
    if (edge !== undefined) edge.sentBytes += 1;
    await scrape(counters, metrics);
    nowMs += 3_600_000;
    assert.doesNotMatch(await scrape(counters, metrics), /calc\/fanboy/);
  });
});
