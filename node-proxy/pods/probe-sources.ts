/**
 * The node's own addresses, which probes come from. They are part of every pod's rules, so they must not change with
 * the pods that come and go.
 */

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import { canonicalIp } from '#base/net.ts';

const REFRESH_MS = 30_000;
/** Each costs a rule per pod and a comparison per new connection. */
export const MAX_NODE_ADDRESSES = 64;

export class ProbeSources {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #read: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  #addresses: readonly string[] = [];
  #readMs = Number.NEGATIVE_INFINITY;
  #told = 0;

  constructor(clock: Clock, log: Logger, read = networkInterfaces) {
    this.#clock = clock;
    this.#log = log;
    this.#read = read;
  }

  /** At most {@link MAX_NODE_ADDRESSES}; read anew after 30 s. */
  get addresses(): readonly string[] {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#readMs >= REFRESH_MS) {
      this.#readMs = nowMs;
      this.#addresses = this.#capped(nodeAddresses(this.#read()));
    }
    return this.#addresses;
  }

  #capped(all: readonly string[]): readonly string[] {
    if (all.length > MAX_NODE_ADDRESSES && all.length !== this.#told) {
      this.#told = all.length;
      this.#log.warn(
        { addresses: all.length, used: MAX_NODE_ADDRESSES },
        'this node has many addresses: probes from the others are captured; set probeSources',
      );
    }
    return all.slice(0, MAX_NODE_ADDRESSES);
  }
}

/** Cables of pods, and the device on which kube-proxy collects the addresses of services. */
const NOT_THE_NODE = /^(veth|kube-ipvs0$)/;
const LINK_LOCAL = /^(fe[89ab][0-9a-f]:|169\.254\.)/;

/** Addresses of global scope that stay when pods come and go; sorted. */
export function nodeAddresses(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  const ips = Object.entries(interfaces).flatMap(([device, addresses = []]) =>
    NOT_THE_NODE.test(device)
      ? []
      : addresses.flatMap(({ internal, address }) => (internal ? [] : (canonicalIp(address) ?? []))),
  );
  return [...new Set(ips.filter(ip => !LINK_LOCAL.test(ip)))].sort();
}
