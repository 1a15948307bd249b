/** Clients that do not read, do nothing, or come and go: what they cost is bounded, and given back. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { route, traffic } from './documents.ts';
import { BYTES_PORT, becomes, HttpMesh, saysWhatItSees } from './http-mesh.ts';
import { Load, outcome } from './requests.ts';

const skip = netnsUnavailable();
const MB = 1024 * 1024;
const LARGE = 20 * MB;
const READERS = 8;
const IDLE = 2_000;
/** What one stopped reader may make both proxies hold together, socket buffers of the kernel aside. */
const HELD_PER_READER = 4 * MB;
const PER_IDLE = 40_000;
const REQUEST = 'GET /large HTTP/1.1\r\nHost: web\r\n\r\n';

describe('bounds of HTTP, through both nodes', { skip }, () => {
  let mesh: HttpMesh;
  /** a on node 1, w on node 2; x in no mesh. */
  let [a, w, x] = [] as unknown as [MeshPod, MeshPod, MeshPod];
  let toW = '';
  /** Bytes of large answers that the application got rid of. */
  let sent = 0;

  before(async () => {
    mesh = await HttpMesh.open({ proxy: { httpLimits: { upstreamIdleMs: 500 } } });
    a = await mesh.pod('a', 1);
    const small = saysWhatItSees('w');
    w = await mesh.pod('w', 2, {
      handler: (request, response) => {
        if (request.url !== '/large') return small(request, response);
        response.writeHead(200, { 'content-length': LARGE });
        const piece = Buffer.alloc(64 * 1024, 'x');
        let left = LARGE / piece.length;
        const more = () => {
          while (left > 0) {
            left -= 1;
            const room = response.write(piece);
            sent += piece.length;
            if (!room) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      },
    });
    x = await mesh.pod('x', 0);
    await w.ns.listen('0.0.0.0', BYTES_PORT, socket => socket.pipe(socket));
    toW = mesh.service('w', 1);
    await mesh.store(
      route('w'),
      traffic('w', { limits: { connections: 0 }, server: { forwardClientIdentity: true } }),
    );
    for (const [from, ip, port] of [
      [a, toW, 80],
      [x, w.ip, APP_PORT],
    ] as const)
      await becomes(
        () => outcome(from, ip, port),
        said => said === '200',
      );
    await becomes(
      () => Promise.all([mesh.count(1, 'requests_total'), mesh.count(2, 'requests_total')]),
      counts => counts.every(count => count > 0),
    );
    // What is loaded and compiled at the first requests is no cost of what follows.
    await new Load(a, toW, 80, 500).during(500);
  });

  after(() => mesh?.close());

  test('readers that stop hold up the application, not the proxies’ memory', async t => {
    const before = memory();
    sent = 0;
    const sockets: Socket[] = [];
    for (let i = 0; i < READERS; i++) {
      const socket = await a.ns.connect(toW, 80);
      socket.pause();
      socket.write(REQUEST);
      sockets.push(socket);
    }
    await stands(() => sent);
    const [held, grown] = [sent / READERS, memory() - before];
    t.diagnostic(
      `HTTP/1.1: ${mb(held)} of 20 MB under way each, proxies grew by ${mb(grown)} for ${READERS} readers`,
    );
    assert.ok(held < LARGE / 2);
    assert.ok(grown < READERS * HELD_PER_READER, mb(grown));
    // The others are served meanwhile.
    assert.equal(await outcome(a, toW, 80), '200');
    // Who reads again gets the rest.
    const last = sockets.pop() as Socket;
    let got = 0;
    last.on('data', chunk => {
      got += chunk.length;
    });
    last.resume();
    await becomes(
      () => got,
      bytes => bytes > LARGE,
    );
    for (const socket of [last, ...sockets]) socket.destroy();
    await allGone();
  });

  test('so do streams of HTTP/2 that nobody reads', async t => {
    const echoed = Buffer.alloc(LARGE, 'x');
    const before = memory();
    const socket = await a.ns.connect(toW, 80);
    const session = connect('http://web', { createConnection: () => socket });
    session.on('error', () => {});
    const fields = { ':method': 'POST', ':path': '/test.Echo/Bidi', 'content-type': 'application/grpc' };
    const streams = Array.from({ length: READERS }, () => {
      const stream = session.request(fields);
      stream.on('error', () => {});
      stream.pause();
      stream.end(echoed);
      return stream;
    });
    const written = () =>
      streams.reduce((bytes, { writableLength }) => bytes - writableLength, READERS * LARGE);
    await stands(() => socket.bytesWritten);
    const grown = memory() - before;
    t.diagnostic(
      `HTTP/2: ${mb(socket.bytesWritten / READERS)} of 20 MB sent each, proxies grew by ${mb(grown)}`,
    );
    assert.ok(socket.bytesWritten / READERS < LARGE / 2, mb(written() / READERS));
    assert.ok(grown < READERS * HELD_PER_READER, mb(grown));
    assert.equal(await outcome(a, toW, 80), '200');
    session.destroy();
    await allGone();
  });

  test(`${IDLE} connections that are kept and do nothing`, async t => {
    const baseline = fds();
    const before = memory();
    const sockets: Socket[] = [];
    let answered = 0;
    for (let i = 0; i < IDLE; i += 100) {
      const some = await Promise.all(Array.from({ length: 100 }, () => a.ns.connect(toW, 80)));
      for (const socket of some) {
        socket.once('data', () => {
          answered += 1;
        });
        socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n');
      }
      sockets.push(...some);
      await becomes(
        () => answered,
        count => count === sockets.length,
      );
    }
    const each = (memory() - before) / IDLE;
    t.diagnostic(`${(each / 1024).toFixed(1)} KiB each, over both proxies`);
    assert.ok(each < PER_IDLE, `${each}`);
    const load = new Load(a, toW, 80, 100);
    const outcomes = await load.during(1_000);
    t.diagnostic(`beside them: slowest of ${load.answers.length} answers ${load.slowestMs.toFixed(0)} ms`);
    assert.deepEqual(Object.keys(outcomes), ['200']);
    for (const socket of sockets) socket.destroy();
    await allGone();
    await becomes(fds, now => now.every((count, i) => count <= (baseline[i] ?? 0) + 20));
  });

  test('connections that come and go at every moment leave nothing behind', async t => {
    const baseline = fds();
    const moments = [
      '',
      'GET',
      'GET / HTTP/1.1\r\nHost: w',
      'GET / HTTP/1.1\r\nHost: web\r\n\r\n',
      REQUEST,
      PREFACE,
      'xyz',
    ];
    let count = 0;
    for (let round = 0; round < 40; round++)
      for (const [from, ip, port] of [
        [a, toW, 80],
        [a, toW, 81],
        [a, w.ip, APP_PORT],
        [x, w.ip, APP_PORT],
      ] as const)
        await Promise.all(
          moments.map(async text => {
            const socket = await from.ns.connect(ip, port);
            count += 1;
            if (text !== '') socket.write(text);
            const go = () => (round % 2 === 0 ? socket.destroy() : socket.resetAndDestroy());
            if (round % 4 < 2) go();
            else setImmediate(go);
          }),
        );
    t.diagnostic(`${count} connections`);
    assert.equal(await outcome(a, toW, 80), '200');
    await allGone();
    await becomes(fds, now => now.every((open, i) => open <= (baseline[i] ?? 0) + 20));
  });

  /** Nothing is open any more, by the proxies' own account. */
  async function allGone(): Promise<void> {
    for (const node of [1, 2])
      await becomes(
        async () => (await mesh.samples(node)).filter(({ name, value }) => LEVELS.test(name) && value !== 0),
        open => open.length === 0,
      );
  }

  /** Of both proxies. */
  function memory(): number {
    return mesh.rig.nodes.reduce((sum, { proxy }) => sum + residentBytes(proxy.child.pid), 0);
  }

  function fds(): number[] {
    return mesh.rig.nodes.map(({ proxy }) => proxy.openFds());
  }
});

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const LEVELS = /^nodemesh_connections_open$/;

function residentBytes(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}

/** Polls until it has not changed for half a second. */
async function stands(look: () => number): Promise<void> {
  let [last, sinceMs] = [-1, 0];
  await becomes(
    () => {
      const now = look();
      if (now !== last) [last, sinceMs] = [now, performance.now()];
      return performance.now() - sinceMs;
    },
    ms => ms > 500,
  );
}
