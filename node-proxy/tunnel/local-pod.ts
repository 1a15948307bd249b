/** A pod of this node as a worker sees it: who it is, where its netns is, what may reach it. */

import type { Netns } from '../kernel/index.ts';
import type { Authorizer } from './authorize.ts';
import type { Reason } from './failure.ts';

export interface PodIdentity {
  /** Stable for the life of the pod's network namespace. */
  id: string;
  /** `<namespace>/<name>` */
  workload: string;
  namespace: string;
  name: string;
  /** SPIFFE id. */
  identity: string;
  /** Canonical IPs of the pod. */
  ips: readonly string[];
}

/** An open connection that a pod is responsible for. */
export interface OpenConnection {
  /** Judges it again; true also for connections that other pods judge. */
  stillAllowed(authorizer: Authorizer): boolean;
  breakOff(reason: Reason): void;
}

export class LocalPod {
  readonly who: PodIdentity;
  /** Owned by whoever made this object. */
  readonly netns: Netns;
  /** Replaced as a whole when policies change. */
  authorizer: Authorizer;
  readonly #open = new Set<OpenConnection>();

  constructor(who: PodIdentity, netns: Netns, authorizer: Authorizer) {
    this.who = who;
    this.netns = netns;
    this.authorizer = authorizer;
  }

  get openConnections(): number {
    return this.#open.size;
  }

  add(connection: OpenConnection): void {
    this.#open.add(connection);
  }

  remove(connection: OpenConnection): void {
    this.#open.delete(connection);
  }

  /** Judges every open inbound connection again and ends those that are no longer allowed. */
  reauthorize(authorizer: Authorizer): number {
    this.authorizer = authorizer;
    let ended = 0;
    for (const connection of [...this.#open]) {
      if (connection.stillAllowed(authorizer)) continue;
      connection.breakOff('policy_changed');
      ended += 1;
    }
    return ended;
  }

  /** Ends every connection at once. */
  breakOff(reason: 'unenrolled' | 'draining'): void {
    for (const connection of [...this.#open]) connection.breakOff(reason);
  }
}
