/** An HBONE peer that is not ours: node:http2 over node:tls, with a certificate of the mesh. */

import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import tls from 'node:tls';
import type { Issuer } from '#trust';
import { HOUR, leaf } from '../../lib/authority.ts';
import type { MeshPod } from './rig.ts';

const HBONE_PORT = 15008;

/**
 * A tunnel from `from`, as identity `ns/shop/sa/FROM`, to a pod's own HBONE port.
 * @param trusted roots that the pod's certificate must lead to; default: the issuer.
 * @throws when the pod refuses the certificate: the session ends before its settings come.
 */
export async function foreignPeer(
  from: MeshPod,
  to: MeshPod,
  issuer: Issuer,
  trusted: readonly string[] = [issuer.certPem],
): Promise<ClientHttp2Session> {
  const uri = `spiffe://mesh.test/ns/shop/sa/${from.name}`;
  const { key, certPem } = await leaf(issuer, { uri, from: Date.now() - HOUR, to: Date.now() + HOUR });
  const secured = tls.connect({
    socket: await from.ns.connect(to.ip, HBONE_PORT),
    key: key.privateKeyPem,
    cert: certPem,
    ca: [...trusted],
    ALPNProtocols: ['h2'],
    // Which workload answers is not what is asked here.
    checkServerIdentity: () => undefined,
  });
  await once(secured, 'secureConnect');
  const session = http2.connect('https://peer', { createConnection: () => secured });
  const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
  session.once('remoteSettings', () => resolve(session));
  session.once('close', () => reject(new Error('the peer closed the connection')));
  session.on('error', reject);
  return promise;
}
