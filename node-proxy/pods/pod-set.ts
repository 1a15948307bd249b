/**
 * The pods of this node: told of by the container runtime (CNI), by commands, and by the records of the process
 * before; taken in or let go as labels, commands and namerd's workloads say.
 */

import type { NodeState, NodeWorkload } from '#api';
import { Backoff } from '#base/backoff.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Cell, firstWhere } from '#base/watch.ts';
import { openNetns } from '../kernel/index.ts';
import type { PodSpec } from '../workers/messages.ts';
import { specsOf } from './announcement.ts';
import { type EnrolmentParts, type Entry, join, leave } from './enrolment.ts';
import { Pod } from './pod.ts';
import { PodIsAnother, ProxyEnds, UnknownWorkload } from './pod-error.ts';
import type { PodRecord } from './pod-records.ts';
import { type EnrolmentConfig, type Forced, isUndecided, type Selection, select } from './selection.ts';

export interface PodSetOptions {
  config: EnrolmentConfig;
  parts: Omit<EnrolmentParts, 'announce' | 'report'>;
  nodeState: Cell<NodeState | undefined>;
  /** How long an unknown workload is waited for, milliseconds. */
  workloadTimeoutMs: number;
  leaveGraceMs: number;
  log: Logger;
  /** Writes the records; awaited before a pod's operation is answered. */
  save: (records: readonly PodRecord[]) => Promise<void>;
  /** Tells namerd which workloads are inside now; settles, never rejects, when it has told everybody. */
  report: (workloads: readonly string[]) => Promise<void>;
}

export interface PodRequest {
  netns: string;
  /** `<namespace>/<name>`; '' = found by address, as soon as the registry knows it. */
  workload: string;
  ips: readonly string[];
  containerId: string;
  /** What the runtime says of the label `nodemesh.io/mesh`; undefined when it says nothing of labels. */
  label?: NodeWorkload['mesh'] | undefined;
}

/** Enrolment that failed is tried again after this, doubling. */
const RETRY = { minMs: 500, maxMs: 30_000 };

export class PodSet {
  readonly #options: PodSetOptions;
  readonly #parts: EnrolmentParts;
  readonly #pods = new Map<string, Pod>();
  readonly #stopWatching: () => void;
  /** Before, a report would tell namerd that pods which are about to be taken over have left. */
  #restored = false;
  #frozen = false;
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: PodSetOptions) {
    this.#options = options;
    this.#parts = { ...options.parts, announce: () => this.#announce(), report: () => this.#report() };
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

  /**
   * The runtime made a pod. Resolves when it is enrolled, or when it is sure that it need not be. A pod that was not
   * known before is forgotten when this fails: the runtime deletes it.
   */
  add(request: PodRequest): Promise<Selection> {
    return this.#take(request, undefined, 'new');
  }

  /** A command takes a running pod in, or out. */
  force(request: PodRequest, forced: 'in' | 'out'): Promise<Selection> {
    return this.#take(request, forced, 'running');
  }

  /** The runtime deletes the pod. Idempotent. */
  async remove(match: { containerId: string; netns: string | undefined }): Promise<void> {
    const pod = this.find(match);
    if (pod !== undefined) await this.drop(pod);
  }

  /** The pod's namespace is gone, or going. Idempotent. */
  drop(pod: Pod): Promise<void> {
    return pod.inTurn(async () => {
      if (pod.gone) return;
      await leave(pod, 'gone', 0, this.#parts);
      this.#forget(pod);
      this.#announce();
      void this.#report();
      await this.#save();
    });
  }

  /** Pods that the runtime does not know any more are forgotten. @param valid container ids. */
  async collect(valid: ReadonlySet<string>): Promise<number> {
    const stale = this.list().filter(({ containerId }) => containerId !== '' && !valid.has(containerId));
    for (const pod of stale) await this.drop(pod);
    return stale.length;
  }

  /** By container first: another pod may have taken over the path of one that is gone. */
  find({ containerId = '', netns }: { containerId?: string; netns?: string | undefined }): Pod | undefined {
    const pods = this.list();
    const own = containerId === '' ? undefined : pods.find(pod => pod.containerId === containerId);
    return (
      own ?? pods.find(pod => pod.netns.path === netns && (containerId === '' || pod.containerId === ''))
    );
  }

  /**
   * Takes over the pods of the process before; to be called once. Pods whose namespace is gone are dropped; what
   * fails is tried again. namerd hears the first report afterwards.
   */
  async restore(records: readonly PodRecord[]): Promise<void> {
    await Promise.all(records.map(record => this.#takeOver(record)));
    this.#restored = true;
    void this.#report();
    await this.#save();
  }

  /** namerd is in reach again: what failed is tried at once. */
  retry(): void {
    for (const pod of this.list()) if (pod.retry !== undefined) this.#resettle(pod);
  }

  workloadOf(pod: Pod): NodeWorkload | undefined {
    const workloads = this.#options.nodeState.current?.workloads ?? [];
    if (pod.workload !== '') return workloads.find(({ workload }) => workload === pod.workload);
    const found = workloads.find(({ addresses }) => addresses.some(address => pod.ips.includes(address)));
    if (found !== undefined) pod.workload = found.workload;
    return found;
  }

  /**
   * From now on no pod moves any more, on disk or at namerd either: another process may be in charge. Policies still
   * reach what is served.
   */
  freeze(): void {
    this.#frozen = true;
    for (const { retry } of this.list()) retry?.timer.cancel();
  }

  close(): void {
    this.freeze();
    this.#stopWatching();
  }

  async #take(request: PodRequest, forced: Forced, entry: Entry): Promise<Selection> {
    if (this.#frozen) throw new ProxyEnds();
    const pod = this.#open(request, forced);
    return pod.inTurn(async () => {
      // Whoever was here first has failed.
      if (pod.gone) return this.#take(request, forced, entry);
      const { workload, ips, ipsOfRegistry, containerId, forced: forcedBefore } = pod;
      try {
        this.#tell(pod, request);
        if (forced !== undefined) pod.forced = forced;
        const result = await this.#settle(pod, entry, request.label, entry === 'new');
        pod.kept = true;
        await this.#save();
        return result;
      } catch (error) {
        // A command that failed must not come true later, when nobody expects it any more.
        if (forced === 'in' && pod.state.is === 'outside')
          Object.assign(pod, { workload, ips, ipsOfRegistry, containerId, forced: forcedBefore });
        if (pod.kept && !this.#frozen) this.#retryLater(pod);
        else await this.#undo(pod);
        throw error;
      }
    });
  }

  async #undo(pod: Pod): Promise<void> {
    await leave(pod, 'unenrolled', 0, this.#parts);
    this.#forget(pod);
    this.#announce();
  }

  async #takeOver(record: PodRecord): Promise<void> {
    try {
      const pod = this.#open(record, record.forced);
      if (pod.id !== record.id) {
        this.#forget(pod);
        throw new Error('its network namespace is another one now');
      }
      pod.kept = true;
      pod.captured = record.captured === true;
      await pod.inTurn(async () => {
        try {
          await this.#settle(pod, 'running');
        } catch (error) {
          this.#retryLater(pod);
          throw error;
        }
      });
    } catch (error) {
      this.#options.log.warn({ pod: record.workload, problem: messageOf(error) }, 'pod not taken over');
    }
  }

  #open(request: PodRequest, forced: Forced): Pod {
    const netns = openNetns(request.netns);
    const known = this.#pods.get(netns.id);
    if (known !== undefined) {
      netns.close();
      return known;
    }
    for (const pod of this.list()) if (pod.netns.path === netns.path) this.#replaced(pod);
    const pod = new Pod(netns, request.workload, request.ips, request.containerId, forced);
    this.#pods.set(pod.id, pod);
    return pod;
  }

  /** Another namespace is where this one was. */
  #replaced(pod: Pod): void {
    const { log } = this.#options;
    this.drop(pod).catch(error => log.error({ pod: pod.workload, err: error }, 'vanished pod not forgotten'));
  }

  #tell(pod: Pod, { workload, ips, containerId }: PodRequest): void {
    if (workload !== '' && workload !== pod.workload) {
      if (pod.state.is === 'inside') throw new PodIsAnother(pod, workload);
      pod.workload = workload;
      pod.forced = undefined;
    }
    if (ips.length > 0) {
      pod.ips = ips;
      pod.ipsOfRegistry = false;
    }
    if (containerId !== '') pod.containerId = containerId;
  }

  /**
   * Brings the pod where it belongs.
   * @param patient waits for a workload that the registry does not know yet before saying that it stays outside.
   */
  async #settle(pod: Pod, entry: Entry, label?: NodeWorkload['mesh'], patient = false): Promise<Selection> {
    const { config, leaveGraceMs } = this.#options;
    let workload = this.workloadOf(pod);
    const choose = () => select(pod.namespace, workload, pod.forced, config, label);
    let wanted = choose();
    const undecided = isUndecided(pod.namespace, workload, pod.forced, config, label);
    if (workload === undefined && (wanted.enrolled || (patient && undecided))) {
      workload = await this.#awaitWorkload(pod);
      wanted = choose();
      if (wanted.enrolled && workload === undefined) throw new UnknownWorkload(pod.workload);
    }
    if (wanted.enrolled && workload !== undefined) await this.#bringIn(pod, workload, entry);
    else if (pod.state.is === 'inside') {
      await leave(pod, 'unenrolled', leaveGraceMs, this.#parts);
      pod.state = { is: 'outside', because: wanted.because };
    } else {
      // Left captured by the process before. As long as nobody says that it may go, it stays cut off: fail closed.
      const known = workload !== undefined || pod.forced === 'out';
      if (pod.captured && known) {
        await this.#parts.capture.remove(pod.entrance);
        pod.captured = false;
        void this.#report();
      }
      pod.state = { is: 'outside', because: wanted.because };
    }
    pod.retry?.timer.cancel();
    pod.retry = undefined;
    return wanted;
  }

  async #bringIn(pod: Pod, workload: NodeWorkload, entry: Entry): Promise<void> {
    if (pod.ipsOfRegistry) pod.ips = workload.addresses;
    if (pod.state.is === 'inside' && pod.state.who.identity !== workload.identity)
      await leave(pod, 'renamed', 0, this.#parts);
    if (pod.state.is === 'inside') {
      if (sameTexts(pod.state.who.ips, pod.ips)) return;
      pod.state = { ...pod.state, who: { ...pod.state.who, ips: pod.ips } };
      this.#announce();
    } else {
      await join(pod, workload, entry, this.#parts);
      void this.#report();
    }
  }

  async #awaitWorkload(pod: Pod): Promise<NodeWorkload | undefined> {
    const { nodeState, workloadTimeoutMs } = this.#options;
    const known = () => this.workloadOf(pod) !== undefined;
    // Late is an answer too: the caller asks again who it is.
    await firstWhere(nodeState, known, AbortSignal.timeout(workloadTimeoutMs)).catch(() => {});
    return this.workloadOf(pod);
  }

  #workloadsChanged(): void {
    this.#announce();
    if (this.#frozen) return;
    for (const pod of this.list()) if (this.#mayMove(pod)) this.#resettle(pod);
  }

  #mayMove(pod: Pod): boolean {
    const { captured, state, forced } = pod;
    // One on its way may be on its way to where it belonged before.
    if (state.is === 'joining' || state.is === 'leaving') return true;
    const workload = this.workloadOf(pod);
    if (!select(pod.namespace, workload, forced, this.#options.config).enrolled)
      // A workload that vanished from the registry keeps its pod in: the runtime will delete it.
      return captured && workload !== undefined;
    if (state.is === 'outside') return true;
    if (workload === undefined) return false;
    const moved = pod.ipsOfRegistry && !sameTexts(pod.ips, workload.addresses);
    return moved || state.who.identity !== workload.identity;
  }

  #resettle(pod: Pod): void {
    pod.retry?.timer.cancel();
    const act = async () => {
      // One that is not answered for yet is the business of whoever asked.
      if (this.#frozen || pod.gone || !pod.kept) return;
      try {
        await this.#settle(pod, 'running');
      } catch (error) {
        this.#retryLater(pod);
        throw error;
      }
      await this.#save();
    };
    pod
      .inTurn(act)
      .catch(error => this.#options.log.error({ pod: pod.workload, err: error }, 'enrolment did not change'));
  }

  #retryLater(pod: Pod): void {
    if (this.#frozen || pod.gone) return;
    pod.retry?.timer.cancel();
    const backoff = pod.retry?.backoff ?? new Backoff(RETRY);
    const timer = this.#parts.clock.after(backoff.nextMs(), () => this.#resettle(pod));
    pod.retry = { backoff, timer };
  }

  #forget(pod: Pod): void {
    this.#pods.delete(pod.id);
    pod.close();
  }

  #announce(): void {
    this.#parts.workers.setPods(this.specs());
  }

  specs(): PodSpec[] {
    return specsOf(this.list(), this.#options.nodeState.current, pod => this.workloadOf(pod));
  }

  /** Pods that the process before has captured are inside too, though not served yet: plaintext would be refused. */
  async #report(): Promise<void> {
    if (!this.#restored || this.#frozen) return;
    const inside = this.list().filter(({ captured, state }) => captured && state.is !== 'leaving');
    await this.#options.report(inside.map(({ workload }) => workload));
  }

  /** One writing at a time; who asks meanwhile shares the next one. */
  #save(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      if (this.#frozen) throw new ProxyEnds();
      return this.#options.save(this.list().flatMap(pod => (pod.kept ? [pod.record()] : [])));
    });
    this.#last = this.#next.catch(() => {});
    return this.#next;
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
