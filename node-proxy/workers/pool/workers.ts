/**
 * All workers of the node, of both roles: told everything that every worker has to know, also those that start later
 * or follow one that died.
 */

import type { TrustState } from '#api';
import { type Clock, delay } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import type { EdgeDelta } from '../../observe/edge-counters.ts';
import type { RequestDelta } from '../../observe/requests/request-counters.ts';
import type { BindingKind, BoundState } from '../../resolve/node-bindings.ts';
import type { Credential } from '../../tunnel/index.ts';
import type { PodFds, PodSpec, ToWorker, WorkerRole, WorkerStart } from '../messages.ts';
import { isolatedPolicyWorker, policyWorkerOf, sharedPolicyWorker } from '../policy-workers.ts';
import { HUNG_AFTER_MS } from '../pulse.ts';
import { PolicyPool } from './policy-pool.ts';
import { TunnelPool } from './tunnel-pool.ts';
import { type NamedReport, WorkerThread, type WorkerWord } from './worker-thread.ts';

export interface WorkersOptions {
  tunnelWorkers: number;
  start: Omit<WorkerStart, 'worker'>;
  /** Megabytes of heap of one worker; beyond it the worker is replaced. */
  heapMb: Record<WorkerRole, number>;
  clock: Clock;
  log: Logger;
  /** @param droppedLogLines since the worker started. */
  onEdges: (worker: string, deltas: EdgeDelta[], droppedLogLines: number) => void;
  onRequests: (worker: string, deltas: RequestDelta[], droppedLogLines: number) => void;
  onWatch: (worker: string, kind: BindingKind, key: string) => void;
  onUnwatch: (worker: string, kind: BindingKind, key: string) => void;
  /** The worker died and forgot everything that it watched. */
  onReset: (worker: string) => void;
  /** Milliseconds without a sign of life after which a worker is replaced. */
  hungAfterMs?: number;
  /** What policy workers run; for tests. */
  policyEntry?: URL;
}

const TUNNEL_ENTRY = new URL('../thread.ts', import.meta.url);
const POLICY_ENTRY = new URL('../policy-thread.ts', import.meta.url);

/** A thread starts in half a second; on a machine that is very busy, first requests wait instead of everybody. */
const PREPARED_WITHIN_MS = 5_000;

export class Workers {
  readonly #options: WorkersOptions;
  readonly #tunnels: TunnelPool;
  readonly #policies: PolicyPool;
  readonly #credentials = new Map<string, Credential>();
  #pods: readonly PodSpec[] = [];
  #trust: TrustState;
  #draining = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#trust = options.start.trust;
    const tunnels = Array.from({ length: options.tunnelWorkers }, (_, i) =>
      this.#tunnelWorker(`tunnel-${i}`),
    );
    this.#tunnels = new TunnelPool(tunnels, worker => this.#announce(worker), options.log);
    this.#policies = new PolicyPool(name => this.#policyWorker(name));
  }

  /**
   * Resolves when every tunnel worker has started, and every policy worker that was prepared; not if it dies, and not
   * for long: what goes wrong with HTTP keeps nobody's bytes waiting. @throws WorkerDied
   */
  async started(): Promise<void> {
    const { clock } = this.#options;
    const prepared = Promise.allSettled(this.#policies.workers.map(({ started }) => started));
    await Promise.race([prepared, delay(clock, PREPARED_WITHIN_MS)]);
    await Promise.all(this.#tunnels.workers.map(({ started }) => started));
  }

  /** Starts the policy workers of these namespaces' pods: HTTP is known to come. */
  prepareForHttp(namespaces: readonly string[]): void {
    const { shared, isolated } = this.#options.start.policyWorkers;
    for (let i = 0; i < shared; i++) this.#policies.prepare(sharedPolicyWorker(i));
    for (const namespace of isolated)
      if (namespaces.includes(namespace)) this.#policies.prepare(isolatedPolicyWorker(namespace));
  }

  setPods(pods: readonly PodSpec[]): void {
    this.#pods = pods;
    for (const worker of this.#all()) this.#announce(worker);
    const { policyWorkers } = this.#options.start;
    for (const { who, http } of pods)
      if (http !== undefined) this.#policies.prepare(policyWorkerOf(who, policyWorkers));
  }

  /** Resolves when a tunnel worker listens for the pod. The descriptors become the workers'. */
  serve(pod: string, fds: PodFds): Promise<void> {
    return this.#tunnels.serve(pod, fds);
  }

  /** Resolves when the last connection of the pod has ended, or was ended after `graceMs`. */
  async unserve(pod: string, graceMs: number): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + graceMs;
    await this.#tunnels.unserve(pod, graceMs);
    // Only now nothing is handed over any more.
    await this.#policies.unserve(pod, Math.max(endMs - clock.monotonic(), 0));
  }

  setCredential(credential: Credential): void {
    this.#credentials.set(credential.identity, credential);
    this.#tellAll({ type: 'credential', credential });
  }

  forgetCredential(identity: string): void {
    this.#credentials.delete(identity);
    this.#tellAll({ type: 'forget-credential', identity });
  }

  setTrust(trust: TrustState): void {
    this.#trust = trust;
    this.#tellAll({ type: 'trust', trust });
  }

  bind(name: string, bound: BoundState): void {
    this.#all()
      .find(worker => worker.name === name)
      ?.post({ type: 'binding', ...bound });
  }

  /** What each worker says of itself. */
  reports(timeoutMs: number, details = false): Promise<NamedReport[]> {
    return Promise.all(this.#all().map(worker => worker.report(timeoutMs, details)));
  }

  /** Stops listening everywhere; open connections go on. */
  drain(): void {
    this.#draining = true;
    for (const worker of this.#all()) worker.leaveDead();
    this.#tunnels.drain();
    this.#tellAll({ type: 'drain' });
  }

  /** Ends every connection with a reset, then the threads. */
  async close(): Promise<void> {
    this.#policies.close();
    await Promise.all(this.#all().map(worker => worker.close()));
  }

  #all(): WorkerThread[] {
    return [...this.#tunnels.workers, ...this.#policies.workers];
  }

  #tellAll(message: ToWorker): void {
    for (const worker of this.#all()) worker.post(message);
  }

  #announce(worker: WorkerThread): void {
    worker.post({ type: 'pods', pods: this.#pods });
  }

  #greet(worker: WorkerThread): void {
    this.#announce(worker);
    for (const credential of this.#credentials.values()) worker.post({ type: 'credential', credential });
    if (this.#draining) worker.post({ type: 'drain' });
  }

  #tunnelWorker(name: string): WorkerThread {
    const worker: WorkerThread = this.#thread('tunnel', name, TUNNEL_ENTRY, {
      onMessage: message => {
        if (message.type === 'need-policy') this.#policies.need(message.worker, worker);
        else this.#receive(worker, message);
      },
      onDied: () => {
        this.#tunnels.died(worker);
        this.#policies.tunnelDied(worker);
      },
      onReplaced: () => this.#tunnels.replaced(worker),
    });
    return worker;
  }

  #policyWorker(name: string): WorkerThread {
    const { policyEntry = POLICY_ENTRY } = this.#options;
    const worker: WorkerThread = this.#thread('policy', name, policyEntry, {
      onMessage: message => this.#receive(worker, message),
      onDied: () => this.#policies.died(worker),
      onReplaced: () => this.#policies.replaced(worker),
    });
    this.#greet(worker);
    return worker;
  }

  #thread(
    role: WorkerRole,
    name: string,
    entry: URL,
    on: { onMessage: (message: WorkerWord) => void; onDied: () => void; onReplaced: () => void },
  ): WorkerThread {
    const { start, heapMb, hungAfterMs = HUNG_AFTER_MS, clock, log, onReset } = this.#options;
    const worker: WorkerThread = new WorkerThread({
      role,
      name,
      entry,
      start: () => ({ ...start, worker: name, trust: this.#trust }),
      heapMb: heapMb[role],
      hungAfterMs,
      clock,
      log,
      onMessage: on.onMessage,
      onDied: () => {
        onReset(name);
        on.onDied();
      },
      onReplaced: () => {
        this.#greet(worker);
        on.onReplaced();
      },
    });
    return worker;
  }

  #receive(worker: WorkerThread, message: WorkerWord): void {
    const { onEdges, onRequests, onWatch, onUnwatch } = this.#options;
    switch (message.type) {
      case 'serving':
      case 'serve-failed':
        return this.#tunnels.receive(message);
      case 'unserved':
        if (worker.role === 'tunnel') return this.#tunnels.receive(message);
        return this.#policies.receive(worker, message);
      case 'watch':
        return onWatch(worker.name, message.kind, message.key);
      case 'unwatch':
        return onUnwatch(worker.name, message.kind, message.key);
      case 'edges':
        return onEdges(worker.name, message.deltas, message.droppedLogLines);
      case 'requests':
        return onRequests(worker.name, message.deltas, message.droppedLogLines);
      case 'need-policy':
        return;
    }
  }
}
