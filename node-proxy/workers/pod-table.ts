/**
 * The pods of the node as one worker knows them: also those that other workers serve, for connections within
 * the node. Each has a descriptor of its netns of its own, checked to be that pod's: the main thread's may be
 * closed, and its number reused, while a message was under way.
 */

import { messageOf } from '#base/errors.ts';
import { type NetnsHandle, openNetns } from '../kernel/index.ts';
import { Authorizer, DENY_ALL, LocalPod, type PodIdentity } from '../tunnel/index.ts';
import type { PodSpec } from './messages.ts';

interface Entry {
  pod: LocalPod;
  /** The rules that the authorizer was made from, as text: judging every open connection again costs. */
  rules: string;
  announced: boolean;
}

export class PodTable {
  readonly byIp = new Map<string, LocalPod>();
  readonly #byId = new Map<string, Entry>();
  readonly #onProblem: (pod: string, message: string) => void;

  /** @param onProblem told of unreadable policies and of pods whose netns is gone. */
  constructor(onProblem: (pod: string, message: string) => void) {
    this.#onProblem = onProblem;
  }

  get openConnections(): number {
    let open = 0;
    for (const { pod } of this.#byId.values()) open += pod.openConnections;
    return open;
  }

  get(id: string): LocalPod | undefined {
    return this.#byId.get(id)?.pod;
  }

  /** @param served pods that this worker serves stay until they are {@link PodTable.release}d. */
  announce(specs: readonly PodSpec[], served: ReadonlyMap<string, unknown>): void {
    for (const entry of this.#byId.values()) entry.announced = false;
    for (const spec of specs) this.#put(spec);
    this.byIp.clear();
    for (const [id, { pod, announced }] of this.#byId) {
      if (announced) for (const ip of pod.who.ips) this.byIp.set(ip, pod);
      else if (!served.has(id)) this.#drop(id, pod);
    }
  }

  /** The pod is served no more. */
  release(id: string): void {
    const entry = this.#byId.get(id);
    if (entry !== undefined && !entry.announced) this.#drop(id, entry.pod);
  }

  close(): void {
    for (const [id, { pod }] of [...this.#byId]) this.#drop(id, pod);
  }

  #put({ who, netnsFd, rules }: PodSpec): void {
    const known = this.#byId.get(who.id);
    const text = JSON.stringify(rules ?? null);
    if (known !== undefined && sameIdentity(known.pod.who, who)) {
      known.announced = true;
      if (known.rules === text) return;
      const authorizer = this.#authorizer(who.id, rules);
      if (authorizer === undefined) return;
      known.rules = text;
      known.pod.reauthorize(authorizer);
      return;
    }
    const netns = this.#enter(who.id, netnsFd);
    if (netns === undefined) return;
    if (known !== undefined) known.pod.retire();
    const pod = new LocalPod(who, netns, this.#authorizer(who.id, rules) ?? DENY_ALL);
    this.#byId.set(who.id, { pod, rules: text, announced: true });
  }

  /** Opened, not duplicated: what a thread has opened is closed with it, however it ends. */
  #enter(id: string, netnsFd: number): NetnsHandle | undefined {
    try {
      const netns = openNetns(`/proc/self/fd/${netnsFd}`);
      if (netns.id === id) return netns;
      netns.close();
      this.#onProblem(id, 'its network namespace is gone already');
    } catch (error) {
      this.#onProblem(id, messageOf(error));
    }
    return undefined;
  }

  /** Undefined when the rules are missing or unreadable: what held before holds on. */
  #authorizer(id: string, rules: PodSpec['rules']): Authorizer | undefined {
    if (rules === undefined) return undefined;
    try {
      return new Authorizer(rules.policies, rules.transport);
    } catch (error) {
      this.#onProblem(id, messageOf(error));
      return undefined;
    }
  }

  #drop(id: string, pod: LocalPod): void {
    this.#byId.delete(id);
    pod.retire();
  }
}

function sameIdentity(a: PodIdentity, b: PodIdentity): boolean {
  return a.identity === b.identity && a.workload === b.workload && a.ips.join() === b.ips.join();
}
