/**
 * One pod of this node and its way into and out of the mesh.
 *
 *   outside ──enrol──► joining ──► inside ──unenrol──► leaving ──► outside
 *      ▲                  │           │                   │
 *      └───── failed ─────┘           └──── netns gone ───┴──► (forgotten)
 *
 * Joining goes: certificate → listening sockets → worker → capture. Capture comes last, so that no connection
 * is ever redirected to a port where nobody listens; leaving goes the other way round.
 */

import type { Backoff } from '#base/backoff.ts';
import type { Timer } from '#base/clock.ts';
import { InvariantError } from '#base/errors.ts';
import type { NetnsHandle } from '../kernel/index.ts';
import type { PodIdentity } from '../tunnel/index.ts';
import type { PodRecord } from './pod-records.ts';
import type { Forced } from './selection.ts';

export type PodState =
  | { is: 'outside'; because: string; problem?: string }
  /** Known to the workers when there is `who`; not captured yet. */
  | { is: 'joining'; who?: PodIdentity }
  | { is: 'inside'; who: PodIdentity; sinceMs: number }
  /** Not captured any more; `who` while peers that have not heard yet are still answered. */
  | { is: 'leaving'; who: PodIdentity };

export class Pod {
  readonly id: string;
  readonly netns: NetnsHandle;
  ips: readonly string[];
  /** The runtime gave no addresses: they follow the registry's. */
  ipsOfRegistry: boolean;
  containerId: string;
  forced: Forced;
  state: PodState = { is: 'outside', because: 'new' };
  /** Capture rules are in it, put there by us or by the process before. */
  captured = false;
  /** Its rules still spare the connections that it had when it came in. */
  sparing = false;
  /** Whoever told us of it was answered that it is known here: it belongs on disk. */
  kept = false;
  /** Forgotten: nothing may enter its namespace any more. */
  gone = false;
  /** Set while enrolment failed and is to be tried again. */
  retry: { backoff: Backoff; timer: Timer } | undefined;
  #workload: string;
  /** Operations of one pod never overlap. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    netns: NetnsHandle,
    workload: string,
    ips: readonly string[],
    containerId: string,
    forced: Forced,
  ) {
    this.id = netns.id;
    this.netns = netns;
    this.#workload = workload;
    this.ips = ips;
    this.ipsOfRegistry = ips.length === 0;
    this.containerId = containerId;
    this.forced = forced;
  }

  /** `<namespace>/<name>`; '' while nobody has named it. */
  get workload(): string {
    return this.#workload;
  }

  /** Only outside: whoever speaks for a pod does so under the name it came in with. */
  set workload(name: string) {
    if (this.state.is !== 'outside') throw new InvariantError(`${this.#workload} is ${this.state.is}`);
    this.#workload = name;
  }

  get namespace(): string {
    return this.#workload.split('/', 1)[0] ?? '';
  }

  get name(): string {
    return this.#workload.slice(this.namespace.length + 1);
  }

  /**
   * A path into this very namespace, also when another one has taken over the path that we were told. For child
   * processes too, while this process lives.
   */
  get entrance(): string {
    if (this.gone) throw new InvariantError(`${this.workload} was to be entered after it was forgotten`);
    return `/proc/${process.pid}/fd/${this.netns.fd}`;
  }

  /** Idempotent. */
  close(): void {
    this.gone = true;
    this.retry?.timer.cancel();
    this.retry = undefined;
    this.netns.close();
  }

  /** Runs `act` when everything asked for before has ended. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(act, act);
    this.#turn = run.catch(() => {});
    return run;
  }

  record(): PodRecord {
    const { id, workload, containerId, forced, captured } = this;
    const ips = this.ipsOfRegistry ? [] : this.ips;
    return { id, netns: this.netns.path, workload, ips, containerId, forced, captured };
  }

  describe(): Record<string, unknown> {
    const { workload, ips, state, forced } = this;
    return {
      workload,
      netns: this.netns.path,
      ips,
      state: state.is,
      ...(state.is === 'outside' ? { because: state.because, problem: state.problem } : {}),
      ...(state.is === 'inside' ? { identity: state.who.identity } : {}),
      ...(forced === undefined ? {} : { forced }),
    };
  }
}
