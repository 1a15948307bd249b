/** A pod of this node as a worker sees it: who it is, where its netns is, what may reach it. */

import type { WorkloadHttp } from '#api';
import type { Authorizer } from '../authorize/index.ts';
import type { Netns, NetnsHandle } from '../kernel/index.ts';
import { ConnectionRefused, type Reason } from './failure.ts';

export interface PodIdentity {
  /** `dev:inode` of the pod's network namespace: stable for its life. */
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

/** A connection that a pod is responsible for, from accept to close. */
export interface OpenConnection {
  /** Judges it again; true also for connections that other pods judge. */
  stillAllowed(authorizer: Authorizer): boolean;
  breakOff(reason: Reason): void;
}

export type Direction = 'inbound' | 'outbound';

export class LocalPod {
  readonly who: PodIdentity;
  /** Replaced as a whole when policies change. */
  authorizer: Authorizer;
  /** What is done with HTTP that arrives here; undefined: bytes are only relayed. */
  http: WorkloadHttp | undefined;
  readonly #netns: NetnsHandle;
  readonly #open = { inbound: new Set<OpenConnection>(), outbound: new Set<OpenConnection>() };
  #retired = false;

  /** @param netns this object's own, closed by {@link LocalPod.retire}. */
  constructor(who: PodIdentity, netns: NetnsHandle, authorizer: Authorizer, http?: WorkloadHttp) {
    this.who = who;
    this.#netns = netns;
    this.authorizer = authorizer;
    this.http = http;
  }

  /** @throws ConnectionRefused once the pod has left: its descriptor may be another pod's by now. */
  get netns(): Netns {
    if (this.#retired) throw new ConnectionRefused('unenrolled', `${this.who.workload} has left the mesh`);
    return this.#netns;
  }

  get openConnections(): number {
    return this.#open.inbound.size + this.#open.outbound.size;
  }

  /** The source address to show for a connection from this pod: its own, whatever it chose. */
  ownAddress(seen: string): string {
    const { ips } = this.who;
    if (ips.length === 0 || ips.includes(seen)) return seen;
    return ips.find(ip => ip.includes(':') === seen.includes(':')) ?? seen;
  }

  /** Its own address for a connection that the proxy makes: of the other end's family, if it has one. */
  addressTowards(ip: string): string {
    const { ips } = this.who;
    return ips.find(own => own.includes(':') === ip.includes(':')) ?? ips[0] ?? '';
  }

  open(direction: Direction): number {
    return this.#open[direction].size;
  }

  add(connection: OpenConnection, direction: Direction): void {
    this.#open[direction].add(connection);
  }

  remove(connection: OpenConnection, direction: Direction): void {
    this.#open[direction].delete(connection);
  }

  /** Judges every inbound connection again, also those that still connect, and ends what is no longer allowed. */
  reauthorize(authorizer: Authorizer): void {
    this.authorizer = authorizer;
    for (const connection of [...this.#open.inbound]) {
      if (!connection.stillAllowed(authorizer)) connection.breakOff('policy_changed');
    }
  }

  /** Ends every connection at once. */
  breakOff(reason: 'unenrolled' | 'draining'): void {
    for (const connection of [...this.#open.inbound, ...this.#open.outbound]) connection.breakOff(reason);
  }

  /** The pod is gone: ends what is open and gives the descriptor back. */
  retire(): void {
    if (this.#retired) return;
    this.breakOff('unenrolled');
    this.#retired = true;
    this.#netns.close();
  }
}
