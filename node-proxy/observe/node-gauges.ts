/** Gauges that are read when somebody scrapes: workers, tunnels, certificates, namerd, the process. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { BindingKind } from '../resolve/node-bindings.ts';
import type { NamedReport } from '../workers/pool/worker-thread.ts';
import type { NodeMetrics } from './metrics.ts';

export interface GaugeValues {
  workers: NamedReport[];
  certificates: { identity: string; notAfter: number | undefined }[];
  nodeNotAfter: number;
  bindings: Record<BindingKind, number>;
  /** Seconds since namerd was last connected; 0 while it is. */
  staleSeconds: number;
  pods: { inside: number; outside: number };
  captureRepairs: number;
  captureFailures: number;
}

export class NodeGauges {
  readonly #set: (values: GaugeValues) => void;

  constructor(metrics: NodeMetrics) {
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    const gauge = (name: string, help: string, labels?: string[]) =>
      metrics.gauge(`nodemesh_${name}`, help, labels);
    const tunnels = gauge('tunnels', 'HBONE tunnels that are open.', ['worker', 'role', 'direction']);
    const connections = gauge('worker_connections', 'Open connections of a worker.', ['worker', 'role']);
    const loop = gauge('event_loop_delay_seconds', 'Event-loop delay since the last scrape.', [
      'thread',
      'statistic',
    ]);
    const heap = gauge('heap_bytes', 'JavaScript heap in use.', ['thread']);
    const rss = gauge('resident_bytes', 'Resident memory of the process.');
    const up = gauge('worker_up', '1 when the worker answered this scrape.', ['worker', 'role']);
    const restarts = metrics.total(
      'nodemesh_worker_restarts_total',
      'Times that the worker died and was replaced.',
      ['worker', 'role'],
    );
    const handedOver = metrics.total(
      'nodemesh_handed_over_total',
      'Connections that a tunnel worker gave to a policy worker, since the tunnel worker started.',
      ['worker'],
    );
    const handing = gauge('handing_over', 'Connections that no policy worker has taken yet.', ['worker']);
    const expiry = gauge(
      'certificate_expiry_timestamp_seconds',
      'When the certificate of an identity ends.',
      ['identity'],
    );
    const bindings = gauge('bindings', 'Addresses, and names of routes, whose binding is watched.', ['kind']);
    const stale = gauge(
      'binding_staleness_seconds',
      'How long namerd has been out of reach; 0 while connected.',
    );
    const pods = gauge('pods', 'Pods of this node that the proxy knows.', ['state']);
    const repairs = metrics.total(
      'nodemesh_capture_repairs_total',
      'Times that capture rules had to be put back.',
    );
    const failures = metrics.total(
      'nodemesh_capture_check_failures_total',
      'Times that capture rules could not be checked.',
    );
    this.#set = values => {
      for (const { role, name: worker, restarts: died, report } of values.workers) {
        up.set({ worker, role }, report === undefined ? 0 : 1);
        restarts(died, { worker, role });
        if (report === undefined) continue;
        connections.set({ worker, role }, report.openConnections);
        for (const direction of ['outbound', 'inbound'] as const) {
          tunnels.set(
            { worker, role, direction },
            sum(report.pods, pod => pod.tunnels[direction]),
          );
        }
        if (role === 'tunnel') {
          handedOver(report.handedOver.total, { worker });
          handing.set({ worker }, report.handedOver.waiting);
        }
        heap.set({ thread: worker }, report.heapBytes);
        for (const [statistic, ms] of Object.entries(report.eventLoopDelay)) {
          loop.set({ thread: worker, statistic }, ms / 1000);
        }
      }
      const ms = (nanoseconds: number) =>
        Number.isFinite(nanoseconds) ? Math.max(nanoseconds / 1e6 - 10, 0) : 0;
      loop.set({ thread: 'main', statistic: 'p99' }, ms(delay.percentile(99)) / 1000);
      delay.reset();
      const memory = process.memoryUsage();
      heap.set({ thread: 'main' }, memory.heapUsed);
      rss.set(memory.rss);
      expiry.reset();
      for (const { identity, notAfter } of values.certificates) {
        if (notAfter !== undefined) expiry.set({ identity }, notAfter / 1000);
      }
      if (values.nodeNotAfter > 0) expiry.set({ identity: 'node' }, values.nodeNotAfter / 1000);
      for (const [kind, size] of Object.entries(values.bindings)) bindings.set({ kind }, size);
      stale.set(values.staleSeconds);
      pods.set({ state: 'inside' }, values.pods.inside);
      pods.set({ state: 'outside' }, values.pods.outside);
      repairs(values.captureRepairs);
      failures(values.captureFailures);
    };
  }

  update(values: GaugeValues): void {
    this.#set(values);
  }
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}
