/** What the node proxy says about itself: readiness, metrics, dump, status. Reads the other parts, changes none. */

import type { MeshClient, NodeState, TrustState } from '#api';
import type { Clock } from '#base/clock.ts';
import type { Watchable } from '#base/watch.ts';
import type { Capture } from '#capture';
import type { Certificates } from '../identity/certificates.ts';
import type { NodeIdentity } from '../identity/node-identity.ts';
import type { CaptureGuard } from '../pods/capture-guard.ts';
import type { PodSet } from '../pods/pod-set.ts';
import type { NodeBindings } from '../resolve/node-bindings.ts';
import type { Workers } from '../workers/pool/workers.ts';
import type { NodeMetrics } from './metrics.ts';
import { NodeGauges } from './node-gauges.ts';

const SCRAPE_TIMEOUT_MS = 1_000;

export interface NodeViewParts {
  node: string;
  /** Namerd out of reach for longer makes the node unready. */
  staleAfterSeconds: number;
  clock: Clock;
  client: MeshClient;
  nodeState: Watchable<NodeState | undefined>;
  trust: Watchable<TrustState>;
  identity: NodeIdentity;
  certificates: Certificates;
  workers: Workers;
  bindings: NodeBindings;
  pods: PodSet;
  guard: CaptureGuard;
  capture: Capture;
  metrics: NodeMetrics;
}

export class NodeView {
  /** `starting`, `running` or `draining`: what the process itself waits for. */
  phase: 'starting' | 'running' | 'draining' = 'starting';
  readonly #parts: NodeViewParts;
  readonly #gauges: NodeGauges;

  constructor(parts: NodeViewParts) {
    this.#parts = parts;
    this.#gauges = new NodeGauges(parts.metrics);
  }

  /** Why pods can't be taken, or undefined. Only what would fail anyway: a proxy without namerd takes pods it knows. */
  get takesNoPods(): string | undefined {
    const { identity, nodeState } = this.#parts;
    if (this.phase !== 'running') return `this process is ${this.phase}`;
    if (nodeState.current === undefined) return 'no word yet about the workloads of this node';
    return identity.problem === undefined ? undefined : `this node has not joined: ${identity.problem}`;
  }

  /** Ready when empty. Each blocker has a name and says what it waits for. */
  blockers(): Record<string, string> {
    const { identity, nodeState, certificates, clock, staleAfterSeconds } = this.#parts;
    const blockers: Record<string, string> = {};
    if (this.phase !== 'running') blockers['process'] = this.phase;
    if (identity.problem !== undefined)
      blockers['identity'] = `this node has not joined: ${identity.problem}`;
    const stale = this.#staleSeconds();
    if (nodeState.current === undefined) blockers['namerd'] = 'no word yet about the workloads of this node';
    else if (stale > staleAfterSeconds) blockers['namerd'] = `out of reach for ${Math.round(stale)} s`;
    const missing = certificates
      .list()
      .filter(({ notAfter }) => notAfter === undefined || notAfter < clock.now());
    if (missing.length > 0) {
      blockers['certificates'] = `missing or expired: ${missing.map(({ identity }) => identity).join(', ')}`;
    }
    return blockers;
  }

  async metrics(): Promise<{ contentType: string; text: string }> {
    const { workers, certificates, identity, bindings, pods, guard, metrics } = this.#parts;
    const reports = await workers.reports(SCRAPE_TIMEOUT_MS);
    const inside = pods.inside().length;
    this.#gauges.update({
      workers: reports,
      certificates: certificates.list(),
      nodeNotAfter: identity.notAfter,
      bindings: bindings.size,
      staleSeconds: this.#staleSeconds(),
      pods: { inside, outside: pods.list().length - inside },
      captureRepairs: guard.repairs,
      captureFailures: guard.failures,
    });
    return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
  }

  /** Everything that is known, for people; no keys are among it. */
  async dump(): Promise<unknown> {
    const { node, client, trust, certificates, pods, nodeState, workers, capture } = this.#parts;
    return {
      node,
      namerd: client.status.current,
      trust: { trustDomain: trust.current.trustDomain, roots: trust.current.roots },
      certificates: certificates.list(),
      pods: pods.list().map(pod => pod.describe()),
      nodeState: nodeState.current,
      workers: await workers.reports(SCRAPE_TIMEOUT_MS, true),
      iptables: capture.iptables,
    };
  }

  status(): { ready: boolean; blockers: string[] } & Record<string, unknown> {
    const { node, client, pods, certificates } = this.#parts;
    const blockers = Object.entries(this.blockers()).map(([name, why]) => `${name}: ${why}`);
    return {
      node,
      ready: blockers.length === 0,
      blockers,
      namerd: client.status.current.state,
      pods: pods.list().map(pod => pod.describe()),
      certificates: certificates.list(),
    };
  }

  /** Open connections and tunnels: a drained tunnel may still have bytes of its last connection to send. */
  async busy(): Promise<number> {
    const reports = await this.#parts.workers.reports(SCRAPE_TIMEOUT_MS);
    const tunnels = reports.flatMap(({ report }) => report?.pods ?? []).map(pod => pod.tunnels);
    const open = reports.reduce((sum, { report }) => sum + (report?.openConnections ?? 0), 0);
    return tunnels.reduce((sum, { inbound, outbound }) => sum + inbound + outbound, open);
  }

  #staleSeconds(): number {
    const { client, clock } = this.#parts;
    const { state, sinceMs } = client.status.current;
    return state === 'connected' ? 0 : (clock.now() - sinceMs) / 1000;
  }
}
