/**
 * The pods of the node as one worker knows them: also those that other workers serve, for connections within
 * the node. Each has a descriptor of its netns of its own, checked to be that pod's: the main thread's may be
 * closed, and its number reused, while a message was under way.
 */

import { messageOf } from '#base/errors.ts';
import { type NetnsHandle, openNetns } from '../kernel/index.ts';
import { Authorizer, DENY_ALL, LocalPod, type PodIdentity } from '../tunnel/index.ts';
import type { PodSpec } from './messages.ts';

export interface PodTableOptions {
  /** Told of unreadable policies and of pods whose netns is gone. */
  onProblem: (pod: string, message: string) => void;
  /** A pod asks for HTTP from now on, or no longer. */
  onHttpChanged: (pod: string) => void;
}

interface Entry {
  pod: LocalPod;
  /** The rules that the authorizer was made from, as text: judging every open connection again costs. */
  rules: string;
  /** What it asks of HTTP, as text. */
  http: string;
  announced: boolean;
}

export class PodTable {
  readonly byIp = new Map<string, LocalPod>();
  readonly #byId = new Map<string, Entry>();
  readonly #options: PodTableOptions;

  constructor(options: PodTableOptions) {
    this.#options = options;
  }

  get openConnections(): number {
    let open = 0;
    for (const { pod } of this.#byId.values()) open += pod.openConnections;
    return open;
  }

  get(id: string): LocalPod | undefined {
    return this.#byId.get(id)?.pod;
  }

  /** Whether the main thread counts it among the node's pods. */
  isAnnounced(id: string): boolean {
    return this.#byId.get(id)?.announced === true;
  }

  /** @param served pods that this worker has doors for stay until they are {@link PodTable.release}d. */
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

  #put({ who, netnsFd, rules, http }: PodSpec): void {
    const known = this.#byId.get(who.id);
    const text = JSON.stringify(rules ?? null);
    const httpText = JSON.stringify(http ?? null);
    if (known !== undefined && sameIdentity(known.pod.who, who)) {
      known.announced = true;
      if (known.http !== httpText) this.#setHttp(known, http, httpText);
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
    const pod = new LocalPod(who, netns, this.#authorizer(who.id, rules) ?? DENY_ALL, http);
    this.#byId.set(who.id, { pod, rules: text, http: httpText, announced: true });
  }

  #setHttp(entry: Entry, http: PodSpec['http'], text: string): void {
    const { pod } = entry;
    const changed = (pod.http === undefined) !== (http === undefined);
    pod.http = http;
    entry.http = text;
    if (changed) this.#options.onHttpChanged(pod.who.id);
  }

  /** Opened, not duplicated: what a thread has opened is closed with it, however it ends. */
  #enter(id: string, netnsFd: number): NetnsHandle | undefined {
    try {
      const netns = openNetns(`/proc/self/fd/${netnsFd}`);
      if (netns.id === id) return netns;
      netns.close();
      this.#options.onProblem(id, 'its network namespace is gone already');
    } catch (error) {
      this.#options.onProblem(id, messageOf(error));
    }
    return undefined;
  }

  /** Undefined when the rules are missing or unreadable: what held before holds on. */
  #authorizer(id: string, rules: PodSpec['rules']): Authorizer | undefined {
    if (rules === undefined) return undefined;
    try {
      return new Authorizer(rules.policies, rules.transport);
    } catch (error) {
      this.#options.onProblem(id, messageOf(error));
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
