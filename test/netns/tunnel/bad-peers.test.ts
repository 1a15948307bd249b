import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { leaf, rootAuthority } from '../../lib/authority.ts';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, echo, ended, eventually, type RigPod, TRUST_DOMAIN, TunnelRig, tryAsk } from './rig.ts';

const HOUR = 3_600_000;

/** A peer that speaks HBONE by itself, with Node's HTTP/2: from the outside pod straight to 15008. */
async function dialHbone(
  rig: TunnelRig,
  to: RigPod,
  more: { uri?: string; from?: number; to?: number; root?: Awaited<ReturnType<typeof rootAuthority>> } = {},
) {
  const now = Date.now();
  const { key, certPem } = await leaf(more.root ?? rig.authority, {
    uri: more.uri ?? `spiffe://${TRUST_DOMAIN}/ns/shop/sa/x`,
    from: more.from ?? now - HOUR,
    to: more.to ?? now + HOUR,
  });
  const socket = tls.connect({
    socket: await rig.x.ns.connect(to.ip, 15008),
    key: key.privateKeyPem,
    cert: certPem,
    ca: rig.authority.certPem,
    ALPNProtocols: ['h2'],
    servername: '',
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const session = http2.connect('https://hbone', { createConnection: () => socket });
  session.on('error', () => {});
  return session;
}

async function statusOf(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
): Promise<number | string> {
  const stream = session.request(headers, { endStream: false });
  return new Promise(resolve => {
    stream.on('response', ({ ':status': status }) => {
      resolve(status ?? 0);
      stream.close();
    });
    stream.on('error', () => resolve('error'));
    stream.on('close', () => resolve('closed'));
  });
}

describe('peers that misbehave', { skip: netnsUnavailable() }, () => {
  let rig: TunnelRig;
  before(async () => {
    rig = await TunnelRig.open({ handshakeTimeoutMs: 300 });
    await rig.b.ns.listen('0.0.0.0', 80, echo('b'));
    await rig.x.ns.listen('0.0.0.0', 15008, socket => socket.end('not TLS'));
    rig.knowWorkload(rig.b, 80);
  });
  after(() => rig?.close());

  const connect = (authority: string) => ({ ':method': 'CONNECT', ':authority': authority });

  it('a foreign HBONE client with a certificate of the mesh gets 200 and the bytes', async () => {
    const session = await dialHbone(rig, rig.b);
    const stream = session.request(connect(`${rig.b.ip}:80`), { endStream: false });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 200);
    stream.write('ping');
    const [chunk] = await once(stream, 'data');
    assert.equal(String(chunk), `b ${rig.x.ip} ping`);
    session.destroy();
  });

  for (const [what, status, headers] of [
    ['a malformed authority', 400, (ip: string) => connect(`${ip}`)],
    ['a port of the mesh itself (loop)', 400, (ip: string) => connect(`${ip}:15001`)],
    ['another pod’s address', 400, () => connect('10.5.0.99:80')],
    [
      'something else than CONNECT',
      400,
      (ip: string) => ({ ':method': 'GET', ':authority': `${ip}:80`, ':scheme': 'http', ':path': '/' }),
    ],
    ['a port where nobody listens', 503, (ip: string) => connect(`${ip}:4999`)],
  ] as const) {
    it(`${what} is answered with ${status}`, async () => {
      const session = await dialHbone(rig, rig.b);
      assert.equal(await statusOf(session, headers(rig.b.ip)), status);
      session.destroy();
    });
  }

  it('without permission is answered with 401', async () => {
    rig.setRules(rig.b, [{ id: 'shop/none', action: 'ALLOW', rules: [] }]);
    const session = await dialHbone(rig, rig.b);
    assert.equal(await statusOf(session, connect(`${rig.b.ip}:80`)), 401);
    session.destroy();
    rig.setRules(rig.b, []);
  });

  it('a certificate of another root, an expired one and one of another trust domain are refused and counted', async () => {
    const refused = () => rig.n2.worker.refusals();
    const before = refused();
    const refusedSoon = async (more: Parameters<typeof dialHbone>[2]) => {
      const session = await dialHbone(rig, rig.b, more).catch(() => undefined);
      if (session !== undefined && !session.destroyed) await once(session, 'close');
    };
    const now = Date.now();
    await refusedSoon({ root: await rootAuthority({ from: now - HOUR, to: now + HOUR }) });
    await refusedSoon({ from: now - 2 * HOUR, to: now - HOUR });
    await refusedSoon({ uri: 'spiffe://other.test/ns/shop/sa/x' });
    await eventually(() => {
      assert.equal((refused()['tls_failure'] ?? 0) - (before['tls_failure'] ?? 0), 2);
      assert.equal((refused()['wrong_identity'] ?? 0) - (before['wrong_identity'] ?? 0), 1);
    });
  });

  it('garbage and half handshakes on 15008 end by the deadline and disturb nobody', async () => {
    const garbage = await rig.x.ns.connect(rig.b.ip, 15008);
    const silent = await rig.x.ns.connect(rig.b.ip, 15008);
    const half = await rig.x.ns.connect(rig.b.ip, 15008);
    garbage.write('GET / HTTP/1.1\r\n\r\n');
    half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    const socket = await rig.a.ns.connect(rig.b.ip, 80);
    assert.match(await ask(socket, 'still fine'), /still fine$/);
    await Promise.all([ended(garbage), ended(silent), ended(half)]);
    socket.destroy();
  });

  it('a TLS peer that then says nothing ends by the deadline too', async () => {
    const socket = tls.connect({
      socket: await rig.x.ns.connect(rig.b.ip, 15008),
      ...(await leaf(rig.authority, {
        uri: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/x`,
        from: Date.now() - HOUR,
        to: Date.now() + HOUR,
      }).then(({ key, certPem }) => ({ key: key.privateKeyPem, cert: certPem }))),
      ca: rig.authority.certPem,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'close');
  });

  it('a server with another identity than expected is not talked to', async () => {
    rig.knowService(
      '10.96.1.1:80',
      rig.replica(rig.b, 80, { identity: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/impostor` }),
    );
    assert.equal(await tryAsk(rig.a, '10.96.1.1', 80), 'refused');
    assert.ok(rig.n1.refusals['wrong_identity']);
  });

  it('a server that does not speak TLS is a failed handshake with a reason', async () => {
    rig.knowService('10.96.1.2:80', rig.replica(rig.x, 80, { hbone: true }));
    assert.equal(await tryAsk(rig.a, '10.96.1.2', 80), 'refused');
    assert.ok(rig.n1.refusals['tls_failure']);
  });
});

describe('more connections than the limit', { skip: netnsUnavailable() }, () => {
  it('are refused and counted while the rest is served', async () => {
    const rig = await TunnelRig.open({ connectionsPerPod: 100 });
    try {
      await rig.b.ns.listen('0.0.0.0', 80, echo('b'));
      rig.knowWorkload(rig.b, 80);
      const sockets = await Promise.all(
        Array.from({ length: 300 }, () => rig.a.ns.connect(rig.b.ip, 80).catch(() => undefined)),
      );
      const answers = await Promise.all(
        sockets.map(socket => (socket === undefined ? 'refused' : ask(socket, 'x').catch(() => 'refused'))),
      );
      const served = answers.filter(answer => answer.startsWith('b ')).length;
      assert.equal(served, 100);
      assert.equal(rig.n1.worker.refusals()['connection_limit'], 200);
    } finally {
      await rig.close();
    }
  });
});
