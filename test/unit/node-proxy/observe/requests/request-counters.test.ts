import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  RequestCounters,
  type RequestDelta,
} from '../../../../../node-proxy/observe/requests/request-counters.ts';
import {
  GRPC_STATUSES,
  LATENCY_BUCKETS_MS,
  STATUS_CLASSES,
} from '../../../../../node-proxy/observe/requests/request-edge.ts';
import { requestLabels as labels } from './request-labels.ts';

type EdgeDelta = Extract<RequestDelta, { kind: 'edge' }>;

const IDLE_TAKES = 600;
const edgesOf = (deltas: RequestDelta[]) => deltas.filter(delta => delta.kind === 'edge');
const requestsOf = (deltas: RequestDelta[]) =>
  edgesOf(deltas).reduce(
    (sum, delta) => sum + delta.requests.reduce((all, [, , count]) => all + count, 0),
    0,
  );

function readable({ requests }: EdgeDelta): Record<string, number> {
  return Object.fromEntries(
    requests.map(([statusClass, grpc, count]) => [
      `${STATUS_CLASSES[statusClass]} ${GRPC_STATUSES[grpc]}`.trim(),
      count,
    ]),
  );
}

describe('request counters', () => {
  it('count by status class and gRPC status', () => {
    const counters = new RequestCounters();
    const edge = counters.edge(labels);
    for (const status of [200, 204, 299, 301, 404, 500, 599, 101, 0, 99, 600, 999, -1])
      edge.finished(status, -1, 1);
    for (const grpc of [0, 0, 14, 16, 17, 99]) edge.finished(200, grpc, 1);
    const [delta] = edgesOf(counters.take());
    assert.deepEqual(delta && readable(delta), {
      none: 5,
      '1xx': 1,
      '2xx': 3,
      '2xx 0': 2,
      '2xx 14': 1,
      '2xx 16': 1,
      '2xx (other)': 2,
      '3xx': 1,
      '4xx': 1,
      '5xx': 2,
    });
  });

  it('put every latency into the bucket that a search from the left finds', () => {
    const bounds = [...LATENCY_BUCKETS_MS];
    const some = fc.oneof(
      fc.double({ min: 0, max: 60_000, noNaN: true }),
      fc.constantFrom(0, -1, 1e9, ...bounds, ...bounds.map(bound => bound + 1e-9)),
    );
    fc.assert(
      fc.property(some, ms => {
        const counters = new RequestCounters();
        counters.edge(labels).finished(200, -1, ms);
        const [delta] = edgesOf(counters.take());
        const found = bounds.findIndex(bound => ms <= bound);
        assert.equal(delta?.latencies[0]?.buckets.indexOf(1), found < 0 ? bounds.length : found);
      }),
    );
  });

  it('keep sums of times apart by class, and take no time that is no number', () => {
    const counters = new RequestCounters();
    const edge = counters.edge(labels);
    edge.finished(200, -1, 3);
    edge.finished(200, -1, 4);
    edge.finished(503, -1, 100);
    edge.finished(200, -1, Number.NaN);
    const [delta] = edgesOf(counters.take());
    assert.deepEqual(
      delta?.latencies.map(({ statusClass, sumMs }) => [STATUS_CLASSES[statusClass], sumMs]),
      [
        ['2xx', 7],
        ['5xx', 100],
      ],
    );
  });

  it('hand each count over once', () => {
    const counters = new RequestCounters();
    const edge = counters.edge(labels);
    edge.finished(200, -1, 1);
    counters.refused(labels, 'policy');
    counters.service('calc/addition').retries += 2;
    counters.service('calc/addition').budget = 7;
    const first = counters.take();
    assert.deepEqual(
      first.map(({ kind }) => kind),
      ['edge', 'service'],
    );
    assert.deepEqual(edgesOf(first)[0]?.refusals, [['policy', 1]]);
    assert.deepEqual(counters.take(), []);
    edge.finished(200, -1, 1);
    counters.service('calc/addition').retries += 1;
    const [again, service] = counters.take();
    assert.deepEqual(again?.kind === 'edge' && again.refusals, []);
    assert.equal(requestsOf([again as RequestDelta]), 1);
    assert.ok(service?.kind === 'service');
    assert.deepEqual([service.retries, service.budget], [1, 7]);
  });

  it('are messages', () => {
    const counters = new RequestCounters();
    counters.edge(labels).finished(200, 0, 1);
    const deltas = counters.take();
    assert.deepEqual(structuredClone(deltas), deltas);
  });

  it('find one edge by equal labels, another by any other', () => {
    const counters = new RequestCounters();
    assert.equal(counters.edge(labels), counters.edge({ ...labels }));
    for (const [field, value] of Object.entries({
      reporter: 'destination',
      route: 'x',
      version: 'grpc',
      security: '',
    }))
      assert.notEqual(counters.edge(labels), counters.edge({ ...labels, [field]: value }));
    assert.equal(counters.size, 5);
  });

  it('forget an edge that nobody uses, and lose nothing of those who hold it still', () => {
    const counters = new RequestCounters();
    const held = counters.edge(labels);
    held.finished(200, -1, 1);
    const busy = counters.edge({ ...labels, route: 'busy' });
    let counted = 0;
    let finished = 1;
    for (let i = 0; i < 2 * IDLE_TAKES; i++) {
      busy.finished(200, -1, 1);
      finished += 1;
      counted += requestsOf(counters.take());
    }
    assert.equal(counters.size, 1);
    assert.equal(counters.edge({ ...labels, route: 'busy' }), busy);
    held.finished(500, -1, 1);
    const anew = counters.edge(labels);
    assert.notEqual(anew, held);
    anew.finished(200, -1, 1);
    held.finished(500, -1, 1);
    assert.equal(counted + requestsOf(counters.take()), finished + 3);
  });

  it('forget services that nobody asks for, and make room for others', () => {
    const counters = new RequestCounters();
    for (let i = 0; i < 5_000; i++) counters.service(`made up ${i}`).shed += 1;
    const gone: string[] = [];
    for (let i = 0; i < 2 * IDLE_TAKES; i++) {
      counters.service('made up 7');
      for (const delta of counters.take()) if (delta.kind === 'gone') gone.push(delta.name);
    }
    assert.equal(gone.length, 4_999);
    assert.ok(!gone.includes('made up 7'));
    counters.service('shop/web').shed += 1;
    assert.deepEqual(
      counters.take().map(delta => delta.kind === 'service' && [delta.name, delta.shed]),
      [['shop/web', 1]],
    );
  });

  it('stay bounded however many edges, services and reasons somebody makes up', () => {
    const counters = new RequestCounters();
    for (let i = 0; i < 6_000; i++) {
      counters.edge({ ...labels, route: `r${i}` }).finished(200, -1, 1);
      counters.service(`s${i}`).shed += 1;
    }
    for (let i = 0; i < 100; i++) counters.refused(labels, `why ${i}`);
    assert.equal(counters.size, 5_000);
    const deltas = counters.take();
    assert.equal(requestsOf(deltas), 6_000);
    const other = edgesOf(deltas).find(delta => delta.labels.route === '(other)');
    assert.equal(other && requestsOf([other]), 1_000);
    assert.deepEqual([other?.refusals.length, other?.refusals.at(-1)], [65, ['(other)', 36]]);
    const services = deltas.filter(delta => delta.kind === 'service');
    assert.equal(services.length, 5_001);
    assert.equal(services.at(-1)?.shed, 1_000);
  });
});
