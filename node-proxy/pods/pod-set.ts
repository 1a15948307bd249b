/**
 * The pods of this node: told of by the container runtime (CNI), by commands, and by the records of the process
 * before; taken in or let go as labels, commands and namerd's workloads say.
 */

import type { NodeState, NodeWorkload } from '#api';
import { MeshError, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Cell, firstWhere } from '#base/watch.ts';
import { openNetns } from '../kernel/index.ts';
import type { PodSpec } from '../workers/messages.ts';
import { type EnrolmentParts, type Entry, join, leave } from './enrolment.ts';
import { Pod } from './pod.ts';
import type { PodRecord } from './pod-records.ts';
import { type EnrolmentConfig, type Forced, select } from './selection.ts';

export interface PodSetOptions {
  config: EnrolmentConfig;
  parts: Omit<EnrolmentParts, 'announce'>;
  nodeState: Cell<NodeState | undefined>;
  /** How long an unknown workload is waited for, milliseconds. */
  workloadTimeoutMs: number;
  leaveGraceMs: number;
  log: Logger;
  /** Writes the records; awaited before a pod's operation is answered. */
  save: (records: readonly PodRecord[]) => Promise<void>;
  /** Tells namerd which workloads are inside now. */
  report: (workloads: readonly string[]) => void;
}

export interface PodRequest {
  netns: string;
  /** `<namespace>/<name>` */
  workload: string;
  ips: readonly string[];
  containerId: string;
}

export class UnknownWorkload extends MeshError {
  constructor(workload: string) {
    super('NM_UNKNOWN_WORKLOAD', `namerd's registry has no workload ${workload} on this node`, {
      by: 'config',
      next: 'Is its Workload document there, with spec.node naming this node? `namerctl get workload` shows it.',
    });
  }
}

export class PodNotFound extends MeshError {
  constructor(what: string) {
    super('NM_NO_SUCH_POD', `no pod ${what} is known here`, {
      by: 'client',
      next: '`node-proxy status` lists the pods.',
    });
  }
}

export class PodIsAnother extends MeshError {
  constructor(pod: Pod, wanted: string) {
    super('NM_POD_IS_ANOTHER', `${pod.netns.path} is in the mesh as ${pod.workload}, not as ${wanted}`, {
      by: 'client',
      next: `Is the path right? \`node-proxy unenroll --netns ${pod.netns.path}\` lets it go first.`,
    });
  }
}

export class PodSet {
  readonly #options: PodSetOptions;
  readonly #parts: EnrolmentParts;
  readonly #pods = new Map<string, Pod>();
  readonly #stopWatching: () => void;
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: PodSetOptions) {
    this.#options = options;
    this.#parts = { ...options.parts, announce: () => this.#announce() };
    this.#stopWatching = options.nodeState.observe(state => {
      if (state !== undefined) this.#workloadsChanged();
    });
  }

  list(): Pod[] {
    return [...this.#pods.values()];
  }

  inside(): Pod[] {
    return this.list().filter(({ state }) => state.is === 'inside');
  }

  /** The runtime made a pod. Resolves when it is enrolled, or when it is sure that it need not be. */
  async add(request: PodRequest): Promise<{ enrolled: boolean; because: string }> {
    const pod = this.#open(request, undefined);
    return pod.inTurn(async () => {
      const result = await this.#settle(pod, 'new');
      await this.#save();
      return result;
    });
  }

  /** A command takes a running pod in, or out. */
  async force(request: PodRequest, forced: 'in' | 'out'): Promise<{ enrolled: boolean; because: string }> {
    const pod = this.#open(request, forced);
    return pod.inTurn(async () => {
      pod.forced = forced;
      const result = await this.#settle(pod, 'running');
      await this.#save();
      return result;
    });
  }

  /** The runtime deletes the pod. Idempotent. */
  async remove(match: { containerId: string; netns: string | undefined }): Promise<void> {
    const pod = this.find(match);
    if (pod === undefined) return;
    await pod.inTurn(async () => {
      await leave(pod, true, 0, this.#parts);
      this.#pods.delete(pod.id);
      pod.netns.close();
      this.#announce();
      await this.#save();
    });
  }

  /** Pods that the runtime does not know any more are forgotten. @param valid container ids. */
  async collect(valid: ReadonlySet<string>): Promise<number> {
    const stale = this.list().filter(({ containerId }) => containerId !== '' && !valid.has(containerId));
    for (const { containerId, netns } of stale) await this.remove({ containerId, netns: netns.path });
    return stale.length;
  }

  find(match: { containerId?: string; netns?: string | undefined; workload?: string }): Pod | undefined {
    return this.list().find(
      pod =>
        (match.containerId !== undefined &&
          match.containerId !== '' &&
          pod.containerId === match.containerId) ||
        (match.netns !== undefined && pod.netns.path === match.netns) ||
        (match.workload !== undefined && pod.workload === match.workload),
    );
  }

  /** Takes over the pods of the process before. Pods whose namespace is gone are dropped. */
  async restore(records: readonly PodRecord[]): Promise<void> {
    await Promise.all(
      records.map(async record => {
        try {
          const pod = this.#open(record, record.forced);
          if (pod.id !== record.id) return this.#forget(pod, 'its network namespace is another one now');
          pod.captured = record.captured === true;
          await pod.inTurn(() => this.#settle(pod, 'running'));
        } catch (error) {
          this.#options.log.warn({ pod: record.workload, problem: messageOf(error) }, 'pod not taken over');
        }
      }),
    );
    await this.#save();
  }

  /** `<namespace>/<name>` of a pod as the runtime names it; a runtime without names is answered by address. */
  workloadNamed(namespace: string, name: string, ips: readonly string[]): string {
    if (name !== '') return `${namespace}/${name}`;
    const workloads = this.#options.nodeState.current?.workloads ?? [];
    const found = workloads.find(({ addresses }) => addresses.some(address => ips.includes(address)));
    return found?.workload ?? '';
  }

  workloadOf(pod: Pod): NodeWorkload | undefined {
    return this.#options.nodeState.current?.workloads.find(({ workload }) => workload === pod.workload);
  }

  close(): void {
    this.#stopWatching();
  }

  #open(request: PodRequest, forced: Forced): Pod {
    const netns = openNetns(request.netns);
    const known = this.#pods.get(netns.id);
    if (known !== undefined) {
      netns.close();
      if (request.workload !== '' && request.workload !== known.workload) {
        if (known.state.is !== 'outside') throw new PodIsAnother(known, request.workload);
        known.workload = request.workload;
      }
      if (request.ips.length > 0) known.ips = request.ips;
      if (request.containerId !== '') known.containerId = request.containerId;
      return known;
    }
    const pod = new Pod(netns, request.workload, request.ips, request.containerId, forced);
    this.#pods.set(pod.id, pod);
    return pod;
  }

  /** Brings the pod where it belongs. */
  async #settle(pod: Pod, entry: Entry): Promise<{ enrolled: boolean; because: string }> {
    const { config, leaveGraceMs } = this.#options;
    let workload = this.workloadOf(pod);
    let wanted = select(pod.namespace, workload, pod.forced, config);
    if (wanted.enrolled && workload === undefined) {
      workload = await this.#awaitWorkload(pod);
      wanted = select(pod.namespace, workload, pod.forced, config);
    }
    if (wanted.enrolled && workload !== undefined) {
      if (pod.ips.length === 0) pod.ips = workload.addresses;
      if (pod.state.is === 'outside') {
        await join(pod, workload, entry, this.#parts);
        this.#report();
      }
    } else if (pod.state.is === 'inside') {
      this.#report(pod);
      await leave(pod, false, leaveGraceMs, this.#parts);
      pod.state = { is: 'outside', because: wanted.because };
    } else {
      // Left captured by the process before. As long as nobody says that it may go, it stays cut off: fail closed.
      const known = workload !== undefined || pod.forced === 'out';
      if (pod.captured && known) {
        await this.#parts.capture.remove(pod.netns.path);
        pod.captured = false;
      }
      pod.state = { is: 'outside', because: wanted.because };
    }
    return wanted;
  }

  async #awaitWorkload(pod: Pod): Promise<NodeWorkload> {
    const { nodeState, workloadTimeoutMs } = this.#options;
    try {
      await firstWhere(
        nodeState,
        () => this.workloadOf(pod) !== undefined,
        AbortSignal.timeout(workloadTimeoutMs),
      );
    } catch {
      throw new UnknownWorkload(pod.workload);
    }
    return this.workloadOf(pod) as NodeWorkload;
  }

  #workloadsChanged(): void {
    this.#announce();
    for (const pod of this.list()) {
      const wanted = select(pod.namespace, this.workloadOf(pod), pod.forced, this.#options.config);
      const { captured, state } = pod;
      // A workload that vanished from the registry keeps its pod in: the runtime will delete it.
      const move = wanted.enrolled ? state.is === 'outside' : captured && this.workloadOf(pod) !== undefined;
      // One on its way may be on its way to where it belonged before.
      if (!move && state.is !== 'joining' && state.is !== 'leaving') continue;
      pod
        .inTurn(async () => {
          await this.#settle(pod, 'running');
          await this.#save();
        })
        .catch(error =>
          this.#options.log.error({ pod: pod.workload, err: error }, 'enrolment did not change'),
        );
    }
  }

  #forget(pod: Pod, why: string): void {
    this.#options.log.warn({ pod: pod.workload, why }, 'pod dropped');
    this.#pods.delete(pod.id);
    pod.netns.close();
  }

  #announce(): void {
    this.#parts.workers.setPods(this.specs());
  }

  specs(): PodSpec[] {
    const state = this.#options.nodeState.current;
    const policies = new Map(state?.policies.map(policy => [policy.id, policy]));
    return this.list().flatMap(pod => {
      const who = pod.state.is === 'inside' || pod.state.is === 'joining' ? pod.state.who : undefined;
      if (who === undefined) return [];
      const workload = this.workloadOf(pod);
      const bodies = workload?.policies.map(id => policies.get(id));
      // A policy that is named but missing would fail open if it were skipped.
      const whole = bodies?.every(body => body !== undefined) ? bodies : undefined;
      const rules =
        workload === undefined || whole === undefined
          ? undefined
          : { policies: whole, transport: workload.transport };
      return [{ who, netnsFd: pod.netns.fd, rules }];
    });
  }

  #report(leaving?: Pod): void {
    this.#options.report(
      this.inside()
        .filter(pod => pod !== leaving)
        .map(({ workload }) => workload),
    );
  }

  /** One writing at a time; who asks meanwhile shares the next one. */
  #save(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return this.#options.save(this.list().map(pod => pod.record()));
    });
    this.#last = this.#next.catch(() => {});
    return this.#next;
  }
}
