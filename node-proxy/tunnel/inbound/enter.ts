/**
 * Into a local pod: the last step of every inbound connection, whether it came through a tunnel, from a pod of
 * this node, or in plaintext. Judges the caller, connects to the application with the caller's address as
 * source.
 */

import type { Socket } from 'node:net';
import { ipBytes } from '#base/net.ts';
import type { Caller } from '../../authorize/index.ts';
import { admit, type SocketReader } from '../accept.ts';
import { dial } from '../dial.ts';
import { ConnectionRefused } from '../failure.ts';
import { OWN_PORTS } from '../hbone/wire.ts';
import type { TunnelLimits } from '../limits.ts';
import type { LocalPod } from '../local-pod.ts';
import { resetSocket } from '../relay/side.ts';

export interface InboundCaller {
  /** SPIFFE id, or '' for plaintext. */
  identity: string;
  namespace: string;
  /** `<namespace>/<name>` as far as it is known or claimed, or ''. */
  workload: string;
  /** Canonical source IP. */
  ip: string;
  /** Source port to use towards the application; undefined leaves it to the kernel. */
  port?: number;
  /** Its node says that it sends requests only, without what its pod may not say. */
  requests?: boolean;
}

/** A connection on its way in, as far as judging it goes. */
export interface Visit {
  /** The pod whose listener accepted it, and has counted it; undefined when nobody has yet. */
  readonly acceptedBy: LocalPod | undefined;
  /**
   * Asks the pod's policies. Whoever judges each request by itself lets the connection pass here.
   * @throws ConnectionRefused
   */
  judge(pod: LocalPod, caller: Caller): void;
  /** @throws ConnectionRefused when it was broken off meanwhile. */
  mustGoOn(): void;
}

/**
 * @param pod where to; `ip` is one of its addresses.
 * @returns the application's socket, paused or with the reader.
 * @throws ConnectionRefused; nothing was connected then.
 */
export async function enter(
  pod: LocalPod,
  caller: InboundCaller,
  ip: string,
  port: number,
  visit: Visit,
  limits: TunnelLimits,
  reader?: SocketReader,
): Promise<Socket> {
  if (OWN_PORTS.has(port)) throw new ConnectionRefused('loop', `port ${port} belongs to the mesh itself`);
  visit.judge(pod, callerAt(caller, port));
  if (pod !== visit.acceptedBy) admit(pod, 'inbound', limits);
  const source = { ip: caller.ip, ...(caller.port === undefined ? {} : { port: caller.port }) };
  const socket = await dial(pod.netns, { ip, port, source }, limits.connectTimeoutMs, reader);
  try {
    // A policy may have changed while the application took its time.
    visit.mustGoOn();
  } catch (error) {
    resetSocket(socket);
    throw error;
  }
  return socket;
}

/** A pod of this node as a caller. @param ip canonical, the address that it shows. */
export function callerOf({ who }: LocalPod, ip: string): InboundCaller {
  return { identity: who.identity, namespace: who.namespace, workload: who.workload, ip };
}

/** What policies are asked about. */
export function callerAt({ identity, namespace, ip }: InboundCaller, port: number): Caller {
  return { identity, namespace, ip: ipBytes(ip) ?? NO_IP, port };
}

const NO_IP = new Uint8Array(0);
