/**
 * Into a local pod: the last step of every inbound connection, whether it came through a tunnel, from a pod of
 * this node, or in plaintext. Judges the caller, connects to the application with the caller's address as
 * source.
 */

import { ipBytes } from '#base/net.ts';
import { dial } from './dial.ts';
import { ConnectionRefused } from './failure.ts';
import { OWN_PORTS } from './hbone/wire.ts';
import type { LocalPod } from './local-pod.ts';
import type { Connection } from './relay/connection.ts';
import { SocketSide } from './relay/side.ts';

export interface InboundCaller {
  /** SPIFFE id, or '' for plaintext. */
  identity: string;
  namespace: string;
  /** Canonical source IP. */
  ip: string;
}

/** @throws ConnectionRefused; nothing was connected then. */
export async function enter(
  pod: LocalPod,
  caller: InboundCaller,
  ip: string,
  port: number,
  connection: Connection,
  timeoutMs: number,
): Promise<SocketSide> {
  if (OWN_PORTS.has(port)) throw new ConnectionRefused('loop', `port ${port} belongs to the mesh itself`);
  const plaintext = caller.identity === '';
  const judged = {
    identity: caller.identity,
    namespace: caller.namespace,
    ip: ipBytes(caller.ip) ?? NO_IP,
    port,
  };
  const decision = pod.authorizer.decide(judged);
  connection.judged(pod, judged, decision, plaintext);
  if (plaintext && !pod.authorizer.plaintextAllowed(port)) {
    throw new ConnectionRefused(
      'plaintext_refused',
      `${pod.who.workload} takes only mesh traffic on port ${port}`,
    );
  }
  if (!decision.allowed) throw new ConnectionRefused('policy', `${decision.rule} refuses port ${port}`);
  return new SocketSide(await dial(pod.netns, { ip, port, source: caller.ip }, timeoutMs));
}

const NO_IP = new Uint8Array(0);
