/** Policies about requests hold on every way into a pod, and nobody can make the application believe somebody else. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type Issuer, readPrivateKey } from '#trust';
import { netnsUnavailable } from '../../lib/netns.ts';
import { foreignPeer } from '../node-proxy/foreign-peer.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { ask as askBytes, ended } from '../tunnel/rig.ts';
import { authorization, identity, route, traffic } from './documents.ts';
import { ANY_PORT, BYTES_PORT, becomes, HttpMesh, type Seen } from './http-mesh.ts';
import { ask, grpcCall, outcome, seen } from './requests.ts';

const skip = netnsUnavailable();

interface Way {
  from: MeshPod;
  ip: string;
  port: number;
  /** As the application is told; undefined: nobody has proved who it is. */
  caller: string | undefined;
}

const FORGED = {
  'x-forwarded-client-cert': 'By=spiffe://mesh.test/ns/shop/sa/w;URI=spiffe://mesh.test/ns/shop/sa/forged',
  'l5d-dst-service': '/svc/forged',
  'l5d-ctx-trace': 'forged',
  'l5d-client-id': 'forged',
  'L5D-Whatever': 'forged',
};
/** Of a DENY rule: bytes fit it by what is left of it without the paths, wherever it may hold. */
const PRIVATE = { paths: ['/private', '/private/*'], notPorts: [BYTES_PORT] };
/** Spellings of `/private` or `/private/x`, which a DENY rule is about. */
const TRICKS = [
  '/private',
  '/private/',
  '/public/../private',
  '//private',
  '/%70rivate',
  '/./private',
  '/PRIVATE',
  '/private?x',
  '/private;a=b',
  '/private%2fx',
  '/public%2f..%2fprivate',
  '/public/..%5cprivate',
  '\\private',
  'http://web/private',
  '/private%00',
  '/%2570rivate/../private',
];

describe('policies about requests', { skip }, () => {
  let mesh: HttpMesh;
  /** a and w on node 1, c on node 2, x in no mesh; w judges requests. */
  let [a, w, c, x] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod];
  let vip = '';
  let plainVip = '';
  let ways: Record<string, Way>;

  before(async () => {
    mesh = await HttpMesh.open();
    w = await mesh.pod('w', 1);
    a = await mesh.pod('a', 1);
    c = await mesh.pod('c', 2);
    x = await mesh.pod('x', 0);
    await w.ns.listen('0.0.0.0', BYTES_PORT, socket => {
      socket.on('data', chunk => socket.write(`w ${chunk}`));
    });
    vip = mesh.service('w', 1);
    // The same pod by a service of which no route speaks.
    plainVip = mesh.service('plain', 2, 'w');
    await mesh.store(
      route('w'),
      traffic('w', { server: { forwardClientIdentity: true } }),
      authorization('readers', 'w', { rules: [{ to: [{ methods: ['GET'] }] }] }),
      authorization('private', 'w', { action: 'DENY', rules: [{ to: [PRIVATE] }] }),
    );
    ways = {
      'by name, from another node': { from: c, ip: vip, port: 80, caller: identity('c') },
      'by name, from the same node': { from: a, ip: vip, port: 80, caller: identity('a') },
      'by name, port not declared, from another node': { from: c, ip: vip, port: 81, caller: identity('c') },
      'by name, port not declared, from the same node': { from: a, ip: vip, port: 81, caller: identity('a') },
      'by a service without routes, from another node': {
        from: c,
        ip: plainVip,
        port: 80,
        caller: identity('c'),
      },
      'by a service without routes, from the same node': {
        from: a,
        ip: plainVip,
        port: 81,
        caller: identity('a'),
      },
      'by pod IP, from another node': { from: c, ip: w.ip, port: APP_PORT, caller: identity('c') },
      'by pod IP, from the same node': { from: a, ip: w.ip, port: APP_PORT, caller: identity('a') },
      'by pod IP, port not declared, from another node': {
        from: c,
        ip: w.ip,
        port: ANY_PORT,
        caller: identity('c'),
      },
      'in plaintext, from outside': { from: x, ip: w.ip, port: APP_PORT, caller: undefined },
      'in plaintext, port not declared': { from: x, ip: w.ip, port: ANY_PORT, caller: undefined },
    };
    for (const [name, { from, ip, port }] of Object.entries(ways))
      await becomes(
        async () => [
          name,
          await outcome(from, ip, port),
          await outcome(from, ip, port, { method: 'DELETE' }),
        ],
        ([, get, del]) => get === '200' && del === '403',
      );
  });

  after(() => mesh?.close());

  test('hold on all ways in, and name the rule', async () => {
    for (const [name, { from, ip, port }] of Object.entries(ways)) {
      assert.equal((await seen(from, ip, port, { path: '/public' })).by, 'w', name);
      const deleted = await ask(from, ip, port, { method: 'DELETE', path: '/public?secret' });
      assert.equal(deleted.status, 403, name);
      assert.match(deleted.body, /no-allow-matched refuses DELETE \/public$/m, name);
      const denied = await ask(from, ip, port, { path: '/private/x' });
      assert.equal(denied.status, 403, name);
      assert.match(denied.body, /shop\/private\[0\] refuses GET \/private\/x/, name);
    }
  });

  test('hold for a path however it is written', async () => {
    for (const [name, { from, ip, port }] of Object.entries(ways)) {
      const passed: string[] = [];
      for (const path of TRICKS) {
        const raw = await rawRequest(
          from,
          ip,
          port,
          `GET ${path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n`,
        );
        if (!/^HTTP\/1\.1 40[03] /.test(raw)) passed.push(`${path}: ${raw.split('\r\n', 1)[0]}`);
      }
      assert.deepEqual(passed, [], name);
    }
  });

  test('tell the application who calls, whatever the caller says', async () => {
    for (const [name, { from, ip, port, caller }] of Object.entries(ways)) {
      const { headers } = await seen(from, ip, port, { headers: FORGED });
      const expected = caller === undefined ? undefined : `By=${identity('w')};URI=${caller}`;
      assert.equal(headers['x-forwarded-client-cert'], expected, name);
      const forged = Object.keys(headers).filter(field => /forged/.test(headers[field] ?? ''));
      // A context that the caller's own node has carried is the caller's to pass on; no other way brings one.
      assert.deepEqual(forged, ip === vip ? ['l5d-ctx-trace'] : [], name);
    }
  });

  test('hold for a caller that speaks HBONE itself', async () => {
    const session = await foreignPeer(x, w, issuer());
    for (const port of [APP_PORT, ANY_PORT]) {
      for (const [method, path, status] of [
        ['GET', '/public', 200],
        ['DELETE', '/public', 403],
        ['GET', '/private/x', 403],
      ] as const) {
        const stream = session.request({ ':method': 'CONNECT', ':authority': `${w.ip}:${port}` });
        stream.on('error', () => {});
        const [{ ':status': connected }] = await once(stream, 'response');
        assert.equal(connected, 200);
        const fields = Object.entries(FORGED).map(([field, value]) => `${field}: ${value}\r\n`);
        stream.end(`${method} ${path} HTTP/1.1\r\nHost: web\r\n${fields.join('')}Connection: close\r\n\r\n`);
        const text = await everything(stream);
        assert.match(text, new RegExp(`^HTTP/1.1 ${status} `), `${method} ${path} on ${port}`);
        if (status !== 200) continue;
        const { headers } = JSON.parse(text.slice(text.indexOf('{'))) as Seen;
        assert.equal(headers['x-forwarded-client-cert'], `By=${identity('w')};URI=${identity('x')}`);
        assert.ok(!/forged/.test(JSON.stringify(headers)));
      }
    }
    session.destroy();
  });

  test('refuse bytes that are no HTTP, for no rule about requests allows them', async () => {
    for (const [name, from, ip, port] of [
      ['from another node', c, w.ip, BYTES_PORT],
      ['from the same node', a, w.ip, BYTES_PORT],
      ['by name', c, vip, 82],
      ['in plaintext', x, w.ip, BYTES_PORT],
      ['on a port that is looked at', c, w.ip, ANY_PORT],
      ['on a port that is looked at, on the same node', a, vip, 81],
    ] as const) {
      const socket = await from.ns.connect(ip, port).catch(() => undefined);
      if (socket === undefined) continue;
      const answer = await askBytes(socket, '\x00\x01 no HTTP\n').catch(() => 'refused');
      assert.ok(answer === 'refused' || /^HTTP\/1\.1 40[03]/.test(answer), `${name}: ${answer}`);
      socket.destroy();
    }
    const allowed = authorization('bytes', 'w', { rules: [{ to: [{ ports: [BYTES_PORT] }] }] });
    await mesh.store(allowed);
    for (const [from, ip, port] of [
      [c, w.ip, BYTES_PORT],
      [a, vip, 82],
      [x, w.ip, BYTES_PORT],
    ] as const) {
      const bytes = async () => {
        const socket = await from.ns.connect(ip, port).catch(() => undefined);
        if (socket === undefined) return 'refused';
        return askBytes(socket, 'hello')
          .catch(() => 'refused')
          .finally(() => socket.destroy());
      };
      await becomes(bytes, answer => answer === 'w hello');
    }
    // What is open is judged again.
    const open = await c.ns.connect(w.ip, BYTES_PORT);
    assert.equal(await askBytes(open, 'hello'), 'w hello');
    await mesh.discard(allowed);
    await ended(open);
  });

  test('hold for gRPC', async () => {
    // Its requests are all POST.
    const calls = authorization('calls', 'w', {
      rules: [{ to: [{ methods: ['POST'], paths: ['/test.Echo/*'] }] }],
    });
    const hidden = authorization('hidden', 'w', {
      action: 'DENY',
      rules: [{ to: [{ paths: ['/test.Echo/Hidden'] }] }],
    });
    await mesh.store(hidden, calls);
    for (const [name, { from, ip, port, caller }] of Object.entries(ways)) {
      const socket = await from.ns.connect(ip, port);
      const session = connect('http://web', { createConnection: () => socket });
      session.on('error', () => {});
      await becomes(
        async () => (await grpcCall(session, '/test.Echo/Unary', FORGED)).trailers['grpc-status'],
        status => status === '0',
      );
      const { trailers } = await grpcCall(session, '/test.Echo/Unary', FORGED);
      const told = caller === undefined ? 'nobody' : `By=${identity('w')};URI=${caller}`;
      assert.deepEqual([trailers['x-caller'], trailers['x-forged']], [told, 'no'], name);
      for (const path of ['/test.Echo/Hidden', '/test.Echo/%48idden', '/test.Other/Unary'])
        assert.equal((await grpcCall(session, path)).trailers['grpc-status'], '7', `${name}: ${path}`);
      session.destroy();
    }
    await mesh.discard(calls, hidden);
  });

  function issuer(): Issuer {
    const ca = (file: string) => readFileSync(join(mesh.rig.folder, 'ca', file), 'utf8');
    return { certPem: ca('roots.pem'), privateKey: readPrivateKey(ca('root.key')) };
  }
});

async function rawRequest(from: MeshPod, ip: string, port: number, text: string): Promise<string> {
  const socket = await from.ns.connect(ip, port);
  socket.write(text, 'latin1');
  const all = await everything(socket);
  socket.destroy();
  return all;
}

/** Until its end, or a reset. */
function everything(stream: Duplex): Promise<string> {
  let text = '';
  stream.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise(resolve => {
    stream.once('end', () => resolve(text));
    stream.once('close', () => resolve(text));
  });
}
