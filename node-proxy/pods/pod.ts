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
  | { is: 'leaving' };

export class Pod {
  readonly id: string;
  readonly netns: NetnsHandle;
  ips: readonly string[];
  containerId: string;
  forced: Forced;
  state: PodState = { is: 'outside', because: 'new' };
  /** Capture rules are in it, put there by us or by the process before. */
  captured = false;
  /** Its rules still spare the connections that it had when it came in. */
  sparing = false;
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
    this.containerId = containerId;
    this.forced = forced;
  }

  /** `<namespace>/<name>` */
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

  /** Runs `act` when everything asked for before has ended. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(act, act);
    this.#turn = run.catch(() => {});
    return run;
  }

  record(): PodRecord {
    const { id, workload, ips, containerId, forced, captured } = this;
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
