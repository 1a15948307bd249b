/** Which node is at the other end of a connection, by its certificate. */

import type { TLSSocket } from 'node:tls';
import { MeshError, messageOf } from '#base/errors.ts';
import { verifyPeer } from '#trust';
import type { Certifier } from '../../ca/index.ts';
import { MeshRefusal } from './errors.ts';

export type Peer =
  | { state: 'node'; node: string; expiresAt: number }
  /** Good enough for joining, for nothing else. */
  | { state: 'stranger'; refusal: MeshError };

/** Reads what TLS has verified; for the whole connection, since a certificate does not change within it. */
export function peerOf(socket: TLSSocket, trustDomain: string): Peer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return stranger('no client certificate was sent');
  if (!socket.authorized)
    return stranger(`the client certificate is not accepted: ${messageOf(socket.authorizationError)}`);
  try {
    const { kind, node, text } = verifyPeer(certificate, { trustDomain });
    if (kind !== 'node') return stranger(`${text} is no node`);
    return { state: 'node', node, expiresAt: certificate.validToDate.getTime() };
  } catch (error) {
    return error instanceof MeshError ? { state: 'stranger', refusal: error } : stranger(messageOf(error));
  }
}

/** The node's name. @throws MeshError when the peer is no node, or none that may be here now */
export function authenticated(peer: Peer, certifier: Certifier, now: number): string {
  if (peer.state === 'stranger') throw peer.refusal;
  if (now > peer.expiresAt)
    throw refusal(`the client certificate expired at ${new Date(peer.expiresAt).toISOString()}`);
  if (!certifier.knows(peer.node)) throw refusal(`no node '${peer.node}' is configured`);
  return peer.node;
}

function stranger(why: string): Peer {
  return { state: 'stranger', refusal: refusal(why) };
}

function refusal(why: string): MeshRefusal {
  return new MeshRefusal('NM_MESH_CERTIFICATE', 401, why);
}
