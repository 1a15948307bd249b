import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { RequestCounters } from '../../../../../node-proxy/observe/requests/request-counters.ts';
import { RequestMetrics } from '../../../../../node-proxy/observe/requests/request-metrics.ts';
import { requestLabels as labels, PRINTED } from './request-labels.ts';

const HOUR_MS = 3_600_000;

class Page {
  nowMs = 0;
  readonly registry = new Registry();
  readonly metrics = new RequestMetrics(this.registry, () => this.nowMs);

  take(counters: RequestCounters, worker = 'policy-0'): void {
    this.metrics.add(worker, counters.take());
  }

  async has(...lines: string[]): Promise<void> {
    const text = await this.registry.metrics();
    for (const line of lines) assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`);
  }

  async routes(name: string): Promise<unknown[]> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    return (metric?.values ?? []).map(({ labels }) => labels['route']);
  }
}

describe('request metrics', () => {
  it('add up requests, latencies and refusals by edge', async () => {
    const page = new Page();
    const counters = new RequestCounters();
    const edge = counters.edge(labels);
    edge.finished(200, -1, 3);
    page.take(counters);
    edge.finished(200, -1, 700);
    edge.finished(503, -1, 0.1);
    counters.edge({ ...labels, version: 'grpc' }).finished(200, 14, 1);
    counters.refused(labels, 'no_endpoint');
    page.take(counters, 'policy-1');
    const grpc = PRINTED.replace('http1', 'grpc');
    await page.has(
      `nodemesh_requests_total{${PRINTED},status_class="2xx",grpc_status=""} 2`,
      `nodemesh_requests_total{${PRINTED},status_class="5xx",grpc_status=""} 1`,
      `nodemesh_requests_total{${grpc},status_class="2xx",grpc_status="14"} 1`,
      `nodemesh_request_seconds_bucket{${PRINTED},status_class="2xx",le="0.002"} 0`,
      `nodemesh_request_seconds_bucket{${PRINTED},status_class="2xx",le="0.005"} 1`,
      `nodemesh_request_seconds_bucket{${PRINTED},status_class="2xx",le="+Inf"} 2`,
      `nodemesh_request_seconds_sum{${PRINTED},status_class="2xx"} 0.703`,
      `nodemesh_request_seconds_count{${PRINTED},status_class="5xx"} 1`,
      `nodemesh_requests_refused_total{${PRINTED},reason="no_endpoint"} 1`,
    );
  });

  it('tell effective from actual success', async () => {
    const page = new Page();
    const client = new RequestCounters();
    const server = new RequestCounters();
    // One request: a first attempt that failed, a second one that did not.
    client.edge(labels).finished(200, -1, 5);
    client.service('calc/addition').retries += 1;
    client.service('calc/addition').retrySuccesses += 1;
    const arrived = server.edge({ ...labels, reporter: 'destination' });
    arrived.finished(500, -1, 2);
    arrived.finished(200, -1, 2);
    page.take(client);
    page.take(server);
    const at = PRINTED.replace('"source"', '"destination"');
    await page.has(
      `nodemesh_requests_total{${PRINTED},status_class="2xx",grpc_status=""} 1`,
      `nodemesh_requests_total{${at},status_class="2xx",grpc_status=""} 1`,
      `nodemesh_requests_total{${at},status_class="5xx",grpc_status=""} 1`,
      'nodemesh_retries_total{service="calc/addition",outcome="made"} 1',
      'nodemesh_retry_successes_total{service="calc/addition"} 1',
    );
  });

  it('count what was done for a service, and add levels up over workers', async () => {
    const page = new Page();
    for (const worker of ['policy-0', 'policy/calc']) {
      const counters = new RequestCounters();
      Object.assign(counters.service('calc/div'), {
        retriesOverBudget: 1,
        retriesOverLimit: 2,
        retriesTooLarge: 3,
        budget: 10.5,
        ejections: 4,
        ejected: 1,
        shed: 5,
        timeouts: 6,
        headersRemoved: 7,
      });
      page.take(counters, worker);
    }
    await page.has(
      'nodemesh_retries_total{service="calc/div",outcome="over_budget"} 2',
      'nodemesh_retries_total{service="calc/div",outcome="over_limit"} 4',
      'nodemesh_retries_total{service="calc/div",outcome="too_large"} 6',
      'nodemesh_retry_budget{service="calc/div"} 21',
      'nodemesh_ejections_total{service="calc/div"} 8',
      'nodemesh_endpoints_ejected{service="calc/div"} 2',
      'nodemesh_requests_shed_total{service="calc/div"} 10',
      'nodemesh_request_timeouts_total{service="calc/div"} 12',
      'nodemesh_reserved_headers_removed_total{service="calc/div"} 14',
    );
    page.metrics.lost('policy-0');
    page.metrics.lost('policy-0');
    await page.has(
      'nodemesh_retry_budget{service="calc/div"} 10.5',
      'nodemesh_endpoints_ejected{service="calc/div"} 1',
      'nodemesh_ejections_total{service="calc/div"} 8',
    );
    page.metrics.lost('policy/calc');
    await page.has('nodemesh_endpoints_ejected{service="calc/div"} 0');
  });

  it('drop a service when the last worker has forgotten it', async () => {
    const page = new Page();
    const all = ['policy-0', 'policy/calc'].map(worker => ({ worker, counters: new RequestCounters() }));
    for (const { counters } of all)
      Object.assign(counters.service('calc/div'), { retries: 1, budget: 2, shed: 3 });
    for (const { counters, worker } of all) page.take(counters, worker);
    const [first, second] = all;
    page.metrics.add(first?.worker ?? '', [{ kind: 'gone', name: 'calc/div' }]);
    await page.has('nodemesh_retry_budget{service="calc/div"} 2');
    page.metrics.add(second?.worker ?? '', [{ kind: 'gone', name: 'calc/div' }]);
    assert.doesNotMatch(await page.registry.metrics(), /calc\/div/);
  });

  it('drop edges that nobody has used for an hour', async () => {
    const page = new Page();
    const counters = new RequestCounters();
    const busy = counters.edge(labels);
    const idle = { ...labels, sourceWorkload: 'calc/gone' };
    counters.edge(idle).finished(200, -1, 1);
    counters.edge(idle).finished(500, 2, 1);
    counters.refused(idle, 'timeout');
    for (; page.nowMs <= HOUR_MS; page.nowMs += HOUR_MS / 4) {
      busy.finished(200, -1, 1);
      page.take(counters);
    }
    assert.doesNotMatch(await page.registry.metrics(), /calc\/gone/);
    await page.has(`nodemesh_requests_total{${PRINTED},status_class="2xx",grpc_status=""} 5`);
  });

  it('drop the longest unused edges when there are too many', async () => {
    const page = new Page();
    for (const worker of ['policy-0', 'policy-1']) {
      const counters = new RequestCounters();
      for (let i = 0; i < 2_600; i++)
        counters.edge({ ...labels, route: `${worker} ${i}` }).finished(200, -1, 1);
      page.take(counters, worker);
      page.nowMs += 60_000;
    }
    const routes = await page.routes('nodemesh_requests_total');
    assert.equal(routes.length, 5_000);
    assert.ok(!routes.includes('policy-0 199') && routes.includes('policy-0 200'));
  });

  const promtool = spawnSync('promtool', ['--version']).status === 0 ? false : 'promtool is not installed';
  it('are what promtool likes', { skip: promtool }, async () => {
    const page = new Page();
    const counters = new RequestCounters();
    counters.edge(labels).finished(200, -1, 1);
    counters.refused(labels, 'policy');
    Object.assign(counters.service('x/y'), { retries: 1, budget: 1, ejections: 1, shed: 1, timeouts: 1 });
    page.take(counters);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await page.registry.metrics(),
    });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
});
