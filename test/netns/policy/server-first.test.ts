/** Protocols in which the server speaks first, on ports that nobody declared, where both nodes look for HTTP. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { route, traffic } from './documents.ts';
import { ANY_PORT, BYTES_PORT, becomes, HttpMesh } from './http-mesh.ts';
import { outcome } from './requests.ts';

const skip = netnsUnavailable();
const TIMES = 20;
const GREETING = '220 mail.example ESMTP\r\n';
const LARGE = 300_000;

describe('a server that speaks first', { skip }, () => {
  let mesh: HttpMesh;
  /** a and g2 on node 1, g on node 2: both g judge requests; x in no mesh. */
  let [a, g, g2, x] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod];
  let [toG, toG2] = ['', ''];
  let ways: Record<string, { from: MeshPod; ip: string; any: number; bytes: number }>;

  before(async () => {
    mesh = await HttpMesh.open();
    [a, g, g2, x] = [
      await mesh.pod('a', 1),
      await mesh.rig.pod('g', 2, { serves: false }),
      await mesh.rig.pod('g2', 1, { serves: false }),
      await mesh.pod('x', 0),
    ];
    for (const pod of [g, g2]) {
      for (const port of [ANY_PORT, BYTES_PORT]) await pod.ns.listen('0.0.0.0', port, greet);
      await pod.ns.listen('0.0.0.0', APP_PORT, socket =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      );
    }
    toG = mesh.service('g', 1);
    toG2 = mesh.service('g2', 2);
    for (const name of ['g', 'g2'])
      await mesh.store(route(name), traffic(name, { server: { forwardClientIdentity: true } }));
    ways = {
      'by name, through both nodes': { from: a, ip: toG, any: 81, bytes: 82 },
      'by name, within the node': { from: a, ip: toG2, any: 81, bytes: 82 },
      'by pod IP': { from: a, ip: g.ip, any: ANY_PORT, bytes: BYTES_PORT },
      'from outside': { from: x, ip: g.ip, any: ANY_PORT, bytes: BYTES_PORT },
    };
    for (const { from, ip } of Object.values(ways))
      await becomes(
        () => outcome(from, ip, ip.startsWith('10.96') ? 80 : APP_PORT),
        said => said === '200',
      );
    await becomes(
      () => mesh.count(2, 'requests_total'),
      count => count > 0,
    );
  });

  after(() => mesh?.close());

  test('is not kept waiting', async t => {
    for (const [name, { from, ip, any, bytes }] of Object.entries(ways)) {
      const looked = await greetings(from, ip, any);
      const declared = await greetings(from, ip, bytes);
      t.diagnostic(`${name}: ${looked.toFixed(1)} ms, where it is declared ${declared.toFixed(1)} ms`);
      // Waiting for a client's bytes would take a second.
      assert.ok(looked < declared + 100, name);
    }
  });

  test('has its conversation, whatever the client says', async () => {
    for (const [name, { from, ip, any, bytes }] of Object.entries(ways))
      for (const port of [any, bytes]) {
        const socket = await from.ns.connect(ip, port);
        const talk = new Talk(socket);
        await talk.until(GREETING);
        // Even what looks like HTTP: it came after the greeting.
        for (const line of [
          'EHLO client\r\n',
          'GET / HTTP/1.1\r\nHost: web\r\n\r\n',
          'DELETE / HTTP/1.1\r\n\r\n',
        ]) {
          socket.write(line);
          await talk.until(`> ${line}`);
        }
        socket.write('LARGE\r\n');
        await talk.until('#'.repeat(LARGE));
        socket.end();
        await once(socket, 'close', { signal: AbortSignal.timeout(5_000) });
        assert.ok(!/HTTP\/1\.1 [2-5]/.test(talk.text), name);
      }
  });

  test('is heard by clients that speak at the same time, if what they say is no HTTP', async () => {
    for (const [name, { from, ip, any }] of Object.entries(ways)) {
      const socket = await from.ns.connect(ip, any);
      const talk = new Talk(socket);
      socket.write('EHLO early\r\n');
      await talk.until('> EHLO early\r\n');
      assert.ok(talk.text.startsWith(GREETING), name);
      socket.destroy();
    }
  });

  /** @returns the median time from the connection to the greeting, milliseconds. */
  async function greetings(from: MeshPod, ip: string, port: number): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const start = performance.now();
      const socket = await from.ns.connect(ip, port);
      const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
      times.push(performance.now() - start);
      assert.equal(String(chunk), GREETING);
      socket.destroy();
    }
    return times.sort((p, q) => p - q)[TIMES / 2] ?? 0;
  }
});

function greet(socket: Socket): void {
  socket.write(GREETING);
  socket.on('data', chunk => {
    const text = String(chunk);
    socket.write(text === 'LARGE\r\n' ? '#'.repeat(LARGE) : `> ${text}`);
  });
  socket.on('end', () => socket.end());
}

class Talk {
  text = '';
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', chunk => {
      this.text += chunk;
    });
  }

  async until(wanted: string): Promise<void> {
    await becomes(
      () => this.#socket.destroyed || this.text.endsWith(wanted),
      over => over,
    );
    assert.ok(this.text.endsWith(wanted), `ends after ${JSON.stringify(this.text.slice(-200))}`);
  }
}
