/**
 * Assembly of a node proxy: everything it is made of, in the order in which it starts. Whoever wants to know
 * what talks to what reads this file.
 */

import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { MeshClient, type NodeState, type TrustState } from '#api';
import { type Clock, delay, systemClock } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import { Scope } from '#base/lifecycle.ts';
import { createLog, type Logger } from '#base/log.ts';
import { Cell, type Dispose } from '#base/watch.ts';
import { Capture } from '#capture';
import { splitPem } from '#trust';
import type { NodeProxyConfig } from './config.ts';
import { Certificates } from './identity/certificates.ts';
import { NodeIdentity } from './identity/node-identity.ts';
import { hostNetns } from './kernel/index.ts';
import { createAdmin } from './observe/admin.ts';
import { NodeMetrics } from './observe/metrics.ts';
import { NodeView } from './observe/node-view.ts';
import { RequestMetrics } from './observe/requests/request-metrics.ts';
import { CaptureGuard } from './pods/capture-guard.ts';
import { localApi } from './pods/local-api.ts';
import { listenLocally } from './pods/local-server.ts';
import { ProxyEnds } from './pods/pod-error.ts';
import { readRecords, writeRecords } from './pods/pod-records.ts';
import { PodSet } from './pods/pod-set.ts';
import { ProbeSources } from './pods/probe-sources.ts';
import { LastGood, servedHttp } from './resolve/last-good.ts';
import { NodeBindings } from './resolve/node-bindings.ts';
import { Workers } from './workers/pool/workers.ts';

const DRAIN_LOOK_MS = 100;
const CERTIFICATE_TIMEOUT_MS = 8_000;
/** Pods of the process before are cut off meanwhile; longer than namerd needs to answer, or to be found away. */
const FIRST_WORD_MS = 3_000;
const WORKLOAD_TIMEOUT_MS = 5_000;
const LEAVE_GRACE_MS = 10_000;
/** Renewals after a change of roots are spread, so that namerd is not asked for everything at once. */
const RENEW_SPREAD_MS = 10_000;
const UNAUTHORIZED = 401;

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
  try {
    return await assemble(config, log, clock, scope);
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function assemble(
  config: NodeProxyConfig,
  log: Logger,
  clock: Clock,
  scope: Scope,
): Promise<RunningProxy> {
  // The way back from pods' namespaces, before anything enters one.
  hostNetns();

  // === What is known: from the disk first, then from namerd ===
  const saved = LastGood.read(config.stateDir, config.node, log);
  const givenRoots = readRoots(config.namerd.rootsFile);
  const nodeState = new Cell<NodeState | undefined>(saved?.nodeState);
  const trust = new Cell<TrustState>(saved?.trust ?? { trustDomain: config.trustDomain, roots: givenRoots });
  const allRoots = () => [...new Set([...trust.current.roots, ...givenRoots])];
  const { host, port } = config.namerd;
  const client = new MeshClient({
    host,
    port,
    trustDomain: config.trustDomain,
    roots: allRoots(),
    clock,
    log,
  });
  scope.own('mesh client', client);

  // === The data path ===
  const metrics = new NodeMetrics(() => clock.monotonic());
  const droppedLines = metrics.total(
    'nodemesh_access_log_dropped_total',
    'Lines of the access log that were not written, since the worker started: the disk was full or too slow.',
    ['worker'],
  );
  const requestMetrics = new RequestMetrics(metrics.registry, () => clock.monotonic());
  const droppedRequestLines = metrics.total(
    'nodemesh_request_log_dropped_total',
    'Lines of the request log that were not written, since the worker started.',
    ['worker'],
  );
  const workers = new Workers({
    tunnelWorkers: config.tunnelWorkers,
    start: {
      node: config.node,
      limits: config.limits,
      httpLimits: config.httpLimits,
      whenUnresolved: config.whenUnresolved,
      accessLog: config.accessLog,
      requestLog: config.requestLog,
      trust: trust.current,
      policyWorkers: { shared: config.policyWorkers, isolated: config.isolatedNamespaces },
    },
    heapMb: { tunnel: config.workerHeapMb, policy: config.policyWorkerHeapMb },
    clock,
    log,
    onEdges: (worker, deltas, droppedLogLines) => {
      metrics.add(worker, deltas);
      droppedLines(droppedLogLines, { worker });
    },
    onRequests: (worker, deltas, droppedLogLines) => {
      requestMetrics.add(worker, deltas);
      droppedRequestLines(droppedLogLines, { worker });
    },
    onWatch: (worker, kind, key) => bindings.watch(worker, kind, key),
    onUnwatch: (worker, kind, key) => bindings.unwatch(worker, kind, key),
    onReset: worker => {
      bindings.reset(worker);
      metrics.lost(worker);
      requestMetrics.lost(worker);
    },
  });
  scope.own('workers', workers);
  const bindings = new NodeBindings({
    client,
    connected: () => client.status.current.state === 'connected',
    send: (worker, bound) => workers.bind(worker, bound),
    stored: saved,
    clock,
    onChange: () => disk.changed(),
  });
  const disk = new LastGood(config.stateDir, clock, log, () => ({
    format: 2,
    node: config.node,
    savedAt: clock.now(),
    nodeState: nodeState.current,
    trust: trust.current,
    ...bindings.snapshot(),
  }));
  scope.own('last good snapshot', disk);

  // === Who we are, and who our pods are ===
  const identity = new NodeIdentity({
    node: config.node,
    trustDomain: config.trustDomain,
    tokenFile: config.namerd.joinTokenFile,
    client,
    clock,
    log,
    onIssued: issued => trust.set(issued.trust),
  });
  scope.own('node identity', identity);
  const certificates = new Certificates({
    authority: client,
    roots: allRoots,
    clock,
    log,
    onCredential: credential => workers.setCredential(credential),
    onForgotten: gone => workers.forgetCredential(gone),
  });
  scope.own('certificates', certificates);
  const capture = await Capture.detect();
  const probeSources = new ProbeSources(clock, log);
  const captureOptions = () => ({
    probeSources: config.probeSources === 'node' ? probeSources.addresses : config.probeSources,
    probePorts: config.probePorts,
  });
  let inCharge = () => false;
  const mustBeInCharge = () => {
    if (inCharge()) return;
    // Who is not in charge any more leaves the pods to the other process.
    pods.freeze();
    throw new ProxyEnds();
  };
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
      namerdAway: () => identity.problem !== undefined,
    },
    nodeState,
    workloadTimeoutMs: WORKLOAD_TIMEOUT_MS,
    leaveGraceMs: LEAVE_GRACE_MS,
    log,
    save: records => writeRecords(config.stateDir, records, mustBeInCharge),
    report: workloads =>
      client
        .report(workloads)
        .catch(error => log.warn({ err: error }, 'namerd was not told which pods are enrolled')),
  });
  scope.own('pods', pods);
  const guard = new CaptureGuard({
    capture,
    captureOptions,
    pods: () => pods.list(),
    onVanished: pod => {
      log.warn({ pod: pod.workload, netns: pod.netns.path }, 'the network namespace has vanished');
      pods
        .drop(pod)
        .catch(error => log.error({ pod: pod.workload, err: error }, 'vanished pod not forgotten'));
    },
    clock,
    log,
  });
  scope.own('capture guard', guard);

  // === What changes, and who is told ===
  const follow = (name: string, dispose: Dispose) => scope.add(name, dispose);
  let roots = trust.current.roots.join();
  follow(
    'trust',
    trust.observe(state => {
      workers.setTrust(state);
      client.setRoots(allRoots());
      disk.changed();
      // New roots mean that old ones will go: nobody should be left with a certificate of one that has gone.
      if (state.roots.join() !== roots) {
        certificates.renewAll(RENEW_SPREAD_MS);
        identity.renew(RENEW_SPREAD_MS);
      }
      roots = state.roots.join();
    }),
  );
  follow(
    'node watch',
    client.watch('node', config.node, state => {
      nodeState.set(state);
      disk.changed();
    }),
  );
  follow(
    'trust watch',
    client.watch('trust', '', state => {
      if (state !== undefined) trust.set(state);
    }),
  );
  follow(
    'namerd status',
    client.status.observe(({ state, error }) => {
      if (state === 'connected') {
        certificates.retry();
        pods.retry();
      } else if (error?.status === UNAUTHORIZED) identity.refused();
    }),
  );

  // === Doors, opened last: pods of the process before come first, as their traffic waits for us ===
  const { node, staleAfterSeconds } = config;
  const view = new NodeView({
    node,
    staleAfterSeconds,
    clock,
    client,
    nodeState,
    trust,
    identity,
    certificates,
    workers,
    bindings,
    pods,
    guard,
    capture,
    metrics,
  });
  // Before pods' requests wait for us: a proxy that is replaced carries them until then.
  if (saved !== undefined && servedHttp(saved))
    workers.prepareForHttp(saved.nodeState?.workloads.map(({ namespace }) => namespace) ?? []);
  await workers.started();
  identity.start();
  const admin = createAdmin({
    log,
    blockers: () => view.blockers(),
    metrics: () => view.metrics(),
    dump: () => view.dump(),
  });
  await listen(admin, config.admin);
  scope.add('admin', () => closeServer(admin));
  const api = localApi({
    pods,
    guard,
    notReady: () => view.takesNoPods,
    knowsPods: () => view.phase !== 'starting',
    status: async () => view.status(),
  });
  // The socket says who is in charge. From here on a process before us takes no pods and writes no records, so the
  // records are complete when we read them.
  const local = await listenLocally(config.socket, api, log);
  inCharge = () => local.isOurs();
  scope.add('local socket', () => closeServer(local.server));
  await Promise.race([identity.tried, delay(clock, FIRST_WORD_MS)]);
  await pods.restore(readRecords(config.stateDir, log));
  view.phase = 'running';
  log.info(
    { node, pods: pods.inside().length, admin: config.admin, socket: config.socket },
    'node-proxy runs',
  );

  const drain = async () => {
    view.phase = 'draining';
    await closeServer(local.server);
    pods.freeze();
    guard.close();
    workers.drain();
    const deadline = clock.monotonic() + config.drainSeconds * 1000;
    while (clock.monotonic() < deadline && (await view.busy()) > 0) await delay(clock, DRAIN_LOOK_MS);
    await scope.close();
  };
  let draining: Promise<void> | undefined;
  return {
    log,
    adminPort: portOf(admin),
    drain: () => (draining ??= drain()),
    close: () => scope.close(),
  };
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
