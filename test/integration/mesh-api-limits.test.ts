/** What strangers can take of the mesh API, and how its own certificate stays fresh. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';
import type { SecureContextOptions } from 'node:tls';
import { systemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MeshServer } from '../../namerd/serve/mesh/index.ts';
import { OwnCertificate } from '../../namerd/serve/mesh/own-certificate.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { boundTo, connected, meshRig } from '../lib/mesh-rig.ts';

function stranger(port: number): ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  return session;
}

async function statusOf(
  session: ClientHttp2Session,
  path: string,
  method = 'POST',
  body = '',
): Promise<{ status: number; code: string }> {
  const stream = session.request({ ':method': method, ':path': path });
  stream.on('error', () => {});
  if (method === 'POST') stream.end(body);
  const [headers] = (await once(stream, 'response')) as [
    http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
  ];
  let text = '';
  for await (const chunk of stream) text += chunk;
  return { status: headers[':status'] ?? 0, code: (JSON.parse(text) as { code: string }).code };
}

test('one address can not keep the fleet out by connecting', async t => {
  const rig = await meshRig();
  t.after(() => rig.close());
  const { certifier, source } = rig;
  const server = await MeshServer.start({
    host: '127.0.0.1',
    port: 0,
    certifier,
    source,
    clock: systemClock,
    log: silentLog,
    maxStrangers: 3,
  });
  t.after(() => server.close());
  const sessions = [];
  for (let i = 0; i < 3; i++) {
    const session = stranger(server.port);
    await once(session, 'remoteSettings');
    sessions.push(session);
  }
  const refused = stranger(server.port);
  await new Promise(resolve => refused.once('close', resolve));
  assert.equal(server.stats().connections, 3);
  sessions[0]?.destroy();
  while (server.stats().connections > 2) await new Promise(resolve => setImmediate(resolve));
  const again = stranger(server.port);
  await once(again, 'remoteSettings');
  for (const session of [...sessions, again]) session.destroy();
});

test('requests that the mesh API does not have are answered with a reason', async t => {
  const rig = await meshRig();
  t.after(() => rig.close());
  const session = stranger(rig.server.port);
  t.after(() => session.destroy());
  assert.deepEqual(await statusOf(session, '/'), { status: 404, code: 'NM_MESH_PATH' });
  assert.deepEqual(await statusOf(session, '/mesh/v1/join', 'GET'), { status: 404, code: 'NM_MESH_PATH' });
  assert.deepEqual(await statusOf(session, '/mesh/v1/watch'), { status: 401, code: 'NM_MESH_CERTIFICATE' });
  assert.deepEqual(await statusOf(session, '/mesh/v1/certificates', 'POST', '{}'), {
    status: 401,
    code: 'NM_MESH_CERTIFICATE',
  });
  for (const body of ['', 'x', '1', 'null', '"x"'])
    assert.deepEqual(await statusOf(session, '/mesh/v1/join', 'POST', body), {
      status: 400,
      code: 'NM_MESH_BODY',
    });
  assert.deepEqual(await statusOf(session, '/mesh/v1/join', 'POST', '[]'), {
    status: 400,
    code: 'NM_CA_BAD_REQUEST',
  });
  assert.deepEqual(await statusOf(session, '/mesh/v1/join', 'POST', 'x'.repeat(65_537)), {
    status: 413,
    code: 'NM_MESH_BODY',
  });
  await connected(await rig.client());
});

test("the server's certificate is renewed at half of its life, and tried again when that fails", async t => {
  const rig = await meshRig({ ttlMs: 4 * 3_600_000 });
  t.after(() => rig.close());
  const clock = new FakeClock(Date.now());
  const applied: SecureContextOptions[] = [];
  let failures = 0;
  const certifier = Object.create(rig.certifier, {
    ownCertificate: {
      value: async () => {
        if (failures-- > 0) throw new Error('no entropy');
        // Made at the time of the fake clock.
        const now = clock.now();
        return { ...(await rig.certifier.ownCertificate()), notBefore: now, notAfter: now + 4 * 3_600_000 };
      },
    },
    authority: { value: rig.authority },
  });
  const certificate = new OwnCertificate(certifier, clock, silentLog, context => applied.push(context));
  t.after(() => certificate.close());
  await certificate.start();
  assert.equal(applied.length, 1);
  const settled = async (count: number) => {
    while (applied.length < count) await new Promise(resolve => setImmediate(resolve));
  };
  clock.advance(2 * 3_600_000 - 1);
  assert.equal(applied.length, 1);
  clock.advance(1);
  await settled(2);
  assert.notEqual(applied[0]?.cert, applied[1]?.cert);
  failures = 1;
  clock.advance(2 * 3_600_000);
  while (clock.timers === 0) await new Promise(resolve => setImmediate(resolve));
  assert.equal(applied.length, 2);
  clock.advance(30_000);
  await settled(3);
});

test('a node has its share of names with a dtab of a request, and gets it back', async t => {
  const rig = await meshRig();
  t.after(() => rig.close());
  const client = await rig.client();
  const watch = (i: number) => {
    const told = Promise.withResolvers<string>();
    const key = `/svc/a /svc/a => /svc/b${i}`;
    rig.source.name(key).set(boundTo(80));
    const dispose = client.watch('name', key, () => told.resolve('told'), {
      onRefused: ({ code }) => told.resolve(code),
    });
    return { told: told.promise, dispose };
  };
  const watches = Array.from({ length: 1_001 }, (_, i) => watch(i));
  const [first] = watches;
  assert.equal(await first?.told, 'told');
  assert.equal(await watches.at(-1)?.told, 'NM_MESH_LIMIT');
  first?.dispose();
  assert.equal(await watch(2_000).told, 'told');
});
