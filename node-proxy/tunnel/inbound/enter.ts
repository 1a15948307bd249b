/**
 * Into a local pod: the last step of every inbound connection, whether it came through a tunnel, from a pod of
 * this node, or in plaintext. Judges the caller, connects to the application with the caller's address as
 * source.
 */

import { ipBytes } from '#base/net.ts';
import { admit } from '../accept.ts';
import { dial } from '../dial.ts';
import { ConnectionRefused } from '../failure.ts';
import { OWN_PORTS } from '../hbone/wire.ts';
import type { TunnelLimits } from '../limits.ts';
import type { LocalPod } from '../local-pod.ts';
import type { Connection } from '../relay/connection.ts';
import { SocketSide } from '../relay/side.ts';

export interface InboundCaller {
  /** SPIFFE id, or '' for plaintext. */
  identity: string;
  namespace: string;
  /** Canonical source IP. */
  ip: string;
  /** Source port to use towards the application; undefined leaves it to the kernel. */
  port?: number;
}

/**
 * @param pod where to; `ip` is one of its addresses.
 * @throws ConnectionRefused; nothing was connected then.
 */
export async function enter(
  pod: LocalPod,
  caller: InboundCaller,
  ip: string,
  port: number,
  connection: Connection,
  limits: TunnelLimits,
): Promise<SocketSide> {
  if (OWN_PORTS.has(port)) throw new ConnectionRefused('loop', `port ${port} belongs to the mesh itself`);
  const { identity, namespace } = caller;
  connection.judge(pod, { identity, namespace, ip: ipBytes(caller.ip) ?? NO_IP, port });
  if (pod !== connection.start.pod) admit(pod, 'inbound', limits);
  const source = { ip: caller.ip, ...(caller.port === undefined ? {} : { port: caller.port }) };
  const socket = await dial(pod.netns, { ip, port, source }, limits.connectTimeoutMs);
  const side = new SocketSide(socket);
  try {
    // A policy may have changed while the application took its time.
    connection.mustGoOn();
  } catch (error) {
    side.reset();
    throw error;
  }
  return side;
}

const NO_IP = new Uint8Array(0);
