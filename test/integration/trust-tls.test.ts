/** Our certificates in real TLS 1.3 handshakes between two ends that know only each other's roots. */

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { TrustError, verifyPeer } from '#trust';
import { type Authority, HOUR, intermediate, type Leaf, leaf, rootAuthority } from '../lib/authority.ts';

const CART = 'spiffe://mesh.test/ns/shop/sa/cart';
const now = Date.now();
const fresh = { from: now - HOUR, to: now + HOUR };

interface Ends {
  server: Leaf;
  client?: Leaf;
  roots: string;
  expected?: string;
}

/** What the client saw: the server's identity, or why the handshake failed; and what the server saw. */
async function handshake({ server: own, client, roots, expected = CART }: Ends) {
  let clientIdentity: string | undefined;
  let serverError: Error | undefined;
  const server = tls.createServer({
    key: own.key.privateKeyPem,
    cert: own.certPem,
    ca: roots,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
  });
  const settled = new Promise<void>(resolve => {
    server.on('secureConnection', socket => {
      const certificate = socket.getPeerX509Certificate();
      clientIdentity = certificate && verifyPeer(certificate, { trustDomain: 'mesh.test' }).text;
      socket.end('hello');
      resolve();
    });
    server.on('tlsClientError', error => {
      serverError = error;
      resolve();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = tls.connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    ca: roots,
    ...(client === undefined ? {} : { key: client.key.privateKeyPem, cert: client.certPem }),
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.3',
    checkServerIdentity: (_host, peer) => {
      try {
        verifyPeer(new X509Certificate(peer.raw), { trustDomain: 'mesh.test', anyOf: [expected] });
        return undefined;
      } catch (error) {
        return error as Error;
      }
    },
  });
  const clientError = await new Promise<Error | undefined>(resolve => {
    socket.on('error', resolve);
    socket.on('end', () => resolve(undefined));
    socket.resume();
  });
  const protocol = socket.getProtocol();
  await settled;
  socket.destroy();
  server.close();
  return { clientIdentity, clientError, serverError, protocol };
}

async function pair(issuer: Authority, times = fresh): Promise<{ server: Leaf; client: Leaf }> {
  return {
    server: await leaf(issuer, { uri: CART, ...times }),
    client: await leaf(issuer, { uri: 'spiffe://mesh.test/ns/shop/sa/web', ...times }),
  };
}

const root = await rootAuthority({ from: now - 2 * HOUR, to: now + 100 * HOUR });

test('both ends accept each other and know who it is', async () => {
  const seen = await handshake({ ...(await pair(root)), roots: root.certPem });
  assert.equal(seen.clientError, undefined);
  assert.equal(seen.protocol, 'TLSv1.3');
  assert.equal(seen.clientIdentity, 'spiffe://mesh.test/ns/shop/sa/web');
});

test('a chain through an intermediate works in a handshake', async () => {
  const middle = await intermediate(root, fresh);
  const { server, client } = await pair(middle);
  const seen = await handshake({
    server: { ...server, certPem: server.certPem + middle.certPem },
    client: { ...client, certPem: client.certPem + middle.certPem },
    roots: root.certPem,
  });
  assert.equal(seen.clientError, undefined);
  assert.equal(seen.clientIdentity, 'spiffe://mesh.test/ns/shop/sa/web');
});

test('a server of another identity is refused by the client', async () => {
  const { client } = await pair(root);
  const server = await leaf(root, { uri: 'spiffe://mesh.test/ns/shop/sa/other', ...fresh });
  const { clientError } = await handshake({ server, client, roots: root.certPem });
  assert.ok(clientError instanceof TrustError);
  assert.equal(clientError.code, 'NM_TRUST_IDENTITY');
});

test('a server of another trust domain is refused, although its root is trusted', async () => {
  const { client } = await pair(root);
  const server = await leaf(root, { uri: 'spiffe://other.test/ns/shop/sa/cart', ...fresh });
  const { clientError } = await handshake({ server, client, roots: root.certPem });
  assert.ok(clientError instanceof TrustError);
  assert.equal(clientError.code, 'NM_TRUST_DOMAIN');
});

test('a server under another root is refused', async () => {
  const { client } = await pair(root);
  const stranger = await rootAuthority({ from: now - HOUR, to: now + HOUR });
  const { clientError } = await handshake({
    server: (await pair(stranger)).server,
    client,
    roots: root.certPem,
  });
  assert.ok(clientError instanceof Error && !(clientError instanceof TrustError));
});

test('an expired server is refused', async () => {
  const { client } = await pair(root);
  const { server } = await pair(root, { from: now - HOUR, to: now - HOUR / 2 });
  const { clientError } = await handshake({ server, client, roots: root.certPem });
  assert.equal((clientError as NodeJS.ErrnoException).code, 'CERT_HAS_EXPIRED');
});

test('a client that has expired, has no certificate, or one of a stranger, is refused by the server', async () => {
  const { server } = await pair(root);
  const stranger = await rootAuthority({ from: now - HOUR, to: now + HOUR });
  const expired = (await pair(root, { from: now - HOUR, to: now - HOUR / 2 })).client;
  for (const client of [expired, undefined, (await pair(stranger)).client]) {
    const seen = await handshake({
      server,
      roots: root.certPem,
      ...(client === undefined ? {} : { client }),
    });
    assert.ok(seen.clientError !== undefined || seen.serverError !== undefined);
    assert.equal(seen.clientIdentity, undefined);
  }
});
