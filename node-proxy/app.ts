/**
 * Assembly of a node proxy: everything it is made of, in the order in which it starts. Whoever wants to know
 * what talks to what reads this file.
 */

import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import { type AddressState, MeshClient, type NodeState, type TrustState } from '#api';
import { systemClock } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import { Scope } from '#base/lifecycle.ts';
import { createLog, type Logger } from '#base/log.ts';
import { canonicalIp } from '#base/net.ts';
import { Cell } from '#base/watch.ts';
import { Capture } from '#capture';
import { splitPem } from '#trust';
import type { NodeProxyConfig } from './config.ts';
import { Certificates } from './identity/certificates.ts';
import { NodeIdentity } from './identity/node-identity.ts';
import { hostNetns } from './kernel/index.ts';
import { createAdmin } from './observe/admin.ts';
import { NodeMetrics } from './observe/metrics.ts';
import { NodeGauges } from './observe/node-gauges.ts';
import { Readiness } from './observe/readiness.ts';
import { CaptureGuard } from './pods/capture-guard.ts';
import { localApi } from './pods/local-api.ts';
import { listenLocally } from './pods/local-server.ts';
import { readRecords, writeRecords } from './pods/pod-records.ts';
import { PodSet } from './pods/pod-set.ts';
import { Bindings } from './resolve/bindings.ts';
import { LastGood } from './resolve/last-good.ts';
import { WorkerPool } from './workers/worker-pool.ts';

const SCRAPE_TIMEOUT_MS = 1_000;
const CERTIFICATE_TIMEOUT_MS = 8_000;
const WORKLOAD_TIMEOUT_MS = 5_000;
const LEAVE_GRACE_MS = 10_000;
/** Renewals after a change of roots are spread, so that namerd is not asked for everything at once. */
const RENEW_SPREAD_MS = 10_000;

export interface RunningProxy {
  readonly log: Logger;
  readonly adminPort: number;
  /** Stops taking connections, waits for the open ones up to `drainSeconds`, then ends. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export async function startNodeProxy(config: NodeProxyConfig): Promise<RunningProxy> {
  const log = createLog({ name: 'node-proxy', level: config.logLevel });
  const clock = systemClock;
  const scope = new Scope((name, error) => log.error({ err: error }, `closing ${name} failed`));
  const readiness = new Readiness();
  hostNetns();

  // What is known: from the disk first, then from namerd.
  const lastGood = LastGood.read(config.stateDir, config.node, log);
  const nodeState = new Cell<NodeState | undefined>(lastGood?.nodeState);
  const roots = readRoots(config.namerd.rootsFile);
  const trust = new Cell<TrustState>(lastGood?.trust ?? { trustDomain: config.trustDomain, roots });
  const metrics = new NodeMetrics();

  const client = new MeshClient({
    host: config.namerd.host,
    port: config.namerd.port,
    trustDomain: config.trustDomain,
    roots: [...new Set([...trust.current.roots, ...roots])],
    clock,
    log,
  });
  scope.add('mesh client', () => client.close());

  const workers = new WorkerPool({
    count: config.tunnelWorkers,
    start: {
      node: config.node,
      limits: config.limits,
      whenUnresolved: config.whenUnresolved,
      accessLog: config.accessLog,
      trust: trust.current,
    },
    heapMb: config.workerHeapMb,
    clock,
    log,
    onEdges: (_worker, deltas) => metrics.add(deltas),
    onWatch: (worker, address) => bindings.watch(worker, address),
    onUnwatch: (worker, address) => bindings.unwatch(worker, address),
    onReset: worker => bindings.reset(worker),
  });
  scope.add('workers', () => workers.close());

  const bindings = new Bindings(
    { watchAddress: (address, onState) => client.watch('address', address, onState) },
    (worker, address, state: AddressState) => workers.bind(worker, address, state),
    new Map(lastGood?.bindings ?? []),
    () => disk.changed(),
  );
  const disk = new LastGood(config.stateDir, clock, log, () => ({
    format: 1,
    node: config.node,
    savedAt: clock.now(),
    nodeState: nodeState.current,
    trust: trust.current,
    bindings: bindings.snapshot(),
  }));
  scope.add('last good snapshot', () => disk.close());

  // Who we are, and who our pods are.
  const identity = new NodeIdentity({
    node: config.node,
    trustDomain: config.trustDomain,
    tokenFile: config.namerd.joinTokenFile,
    client,
    clock,
    log,
    onIssued: issued => trust.set(issued.trust),
  });
  scope.add('node identity', () => identity.close());
  const certificates = new Certificates({
    authority: client,
    clock,
    log,
    onCredential: credential => workers.setCredential(credential),
    onForgotten: gone => workers.forgetCredential(gone),
  });
  scope.add('certificates', () => certificates.close());

  const capture = await Capture.detect();
  const captureOptions = () => ({
    probeSources: config.probeSources === 'node' ? ownAddresses() : config.probeSources,
  });
  const pods = new PodSet({
    config: config.enrolment,
    parts: {
      certificates,
      workers,
      capture,
      captureOptions,
      clock,
      log,
      certificateTimeoutMs: CERTIFICATE_TIMEOUT_MS,
    },
    nodeState,
    workloadTimeoutMs: WORKLOAD_TIMEOUT_MS,
    leaveGraceMs: LEAVE_GRACE_MS,
    log,
    save: records => writeRecords(config.stateDir, records),
    report: workloads => {
      client
        .report(workloads)
        .catch(error => log.warn({ err: error }, 'namerd was not told which pods are enrolled'));
    },
  });
  scope.add('pods', () => pods.close());
  const guard = new CaptureGuard(capture, captureOptions, () => pods.inside(), clock, log);
  scope.add('capture guard', () => guard.close());

  scope.add(
    'trust',
    trust.observe(state => {
      workers.setTrust(state);
      client.setRoots([...new Set([...state.roots, ...roots])]);
      disk.changed();
    }),
  );
  // New roots mean that old ones may go: nobody should be left with a certificate of one that has gone.
  let knownRoots = trust.current.roots.join();
  scope.add(
    'root rotation',
    trust.observe(state => {
      if (state.roots.join() !== knownRoots) certificates.renewAll(RENEW_SPREAD_MS);
      knownRoots = state.roots.join();
    }),
  );
  scope.add(
    'node watch',
    client.watch('node', config.node, state => {
      nodeState.set(state);
      disk.changed();
    }),
  );
  scope.add(
    'trust watch',
    client.watch('trust', '', state => {
      if (state !== undefined) trust.set(state);
    }),
  );
  scope.add(
    'status',
    client.status.observe(({ state }) => {
      if (state === 'connected') certificates.retry();
    }),
  );

  const staleSeconds = () => {
    const { state, sinceMs } = client.status.current;
    return state === 'connected' ? 0 : (clock.now() - sinceMs) / 1000;
  };
  const refreshReadiness = () => {
    readiness.set(
      'identity',
      identity.problem === undefined ? undefined : `this node has not joined: ${identity.problem}`,
    );
    const stale = staleSeconds();
    const never = nodeState.current === undefined;
    readiness.set(
      'namerd',
      never || stale > config.staleAfterSeconds
        ? `no word from namerd for ${Math.round(stale)} s`
        : undefined,
    );
    const missing = certificates
      .list()
      .filter(({ notAfter }) => notAfter === undefined || notAfter < clock.now());
    readiness.set(
      'certificates',
      missing.length === 0 ? undefined : `missing or expired: ${missing.map(m => m.identity).join(', ')}`,
    );
  };
  const gauges = new NodeGauges(metrics);
  const admin = createAdmin({
    readiness: {
      get ready() {
        refreshReadiness();
        return readiness.ready;
      },
      get blockers() {
        return readiness.blockers;
      },
    } as Readiness,
    log,
    metrics: async () => {
      const reports = await workers.reports(SCRAPE_TIMEOUT_MS);
      const inside = pods.inside().length;
      gauges.update({
        workers: reports,
        restarts: workers.restarts,
        certificates: certificates.list(),
        nodeNotAfter: identity.notAfter,
        bindings: bindings.size,
        staleSeconds: staleSeconds(),
        pods: { inside, outside: pods.list().length - inside },
        captureRepairs: guard.repairs,
        captureFailures: guard.failures,
      });
      return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
    },
    dump: async () => ({
      node: config.node,
      namerd: client.status.current,
      trust: { trustDomain: trust.current.trustDomain, roots: trust.current.roots.length },
      certificates: certificates.list(),
      pods: pods.list().map(pod => pod.describe()),
      nodeState: nodeState.current,
      workers: await workers.reports(SCRAPE_TIMEOUT_MS),
      iptables: capture.iptables,
    }),
  });

  readiness.block('start', 'starting');
  await workers.started();
  identity.start();
  await listen(admin, config.admin);
  scope.add('admin', () => closeServer(admin));
  // Pods of the process before come first: their traffic waits for us.
  await pods.restore(readRecords(config.stateDir, log));
  const local = await listenLocally(
    config.socket,
    localApi({
      pods,
      guard,
      notReady: () =>
        identity.problem === undefined ? undefined : `this node has not joined: ${identity.problem}`,
      status: async () => {
        refreshReadiness();
        return {
          node: config.node,
          ready: readiness.ready,
          blockers: Object.entries(readiness.blockers).map(([name, why]) => `${name}: ${why}`),
          namerd: client.status.current.state,
          pods: pods.list().map(pod => pod.describe()),
          certificates: certificates.list(),
        };
      },
    }),
    log,
  );
  scope.add('local socket', () => closeServer(local));
  readiness.clear('start');
  log.info(
    { node: config.node, pods: pods.inside().length, admin: config.admin, socket: config.socket },
    'node-proxy runs',
  );

  let draining: Promise<void> | undefined;
  const close = () => scope.close();
  const drain = async () => {
    readiness.block('drain', 'shutting down');
    await Promise.all([closeServer(local), closeServer(admin)]);
    guard.close();
    workers.drain();
    const deadline = clock.monotonic() + config.drainSeconds * 1000;
    while (clock.monotonic() < deadline) {
      const reports = await workers.reports(SCRAPE_TIMEOUT_MS);
      // A tunnel that is still up may have a connection under way that nobody has counted yet.
      const busy = reports.some(
        report =>
          report !== undefined &&
          (report.openConnections > 0 ||
            report.pods.some(({ tunnels }) => tunnels.inbound + tunnels.outbound > 0)),
      );
      if (!busy) break;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    await close();
  };
  return {
    log,
    adminPort: portOf(admin),
    drain: () => (draining ??= drain()),
    close,
  };
}

/** All addresses of this node outside loopback: what kubelet-style probes come from. */
function ownAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  const ips = addresses.filter(({ internal }) => !internal).map(({ address }) => canonicalIp(address));
  return [...new Set(ips.filter(ip => ip !== undefined))];
}

function readRoots(file: string): string[] {
  try {
    return splitPem(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new MeshError('NM_NO_ROOTS', `namerd's roots ${file} can't be read`, {
      by: 'config',
      cause,
      next: "Copy roots.pem from namerd's CA directory to namerd.rootsFile.",
    });
  }
}

function listen(server: Server, { ip, port }: { ip: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A proxy that replaces another serves the port beside it for a while.
    server.listen({ host: ip, port, reusePort: true }, () => resolve());
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
