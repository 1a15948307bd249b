/** Accepted connections cross from one thread to another over loopback; what nobody takes is not lost unseen. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { dupFd } from '../../../node-proxy/kernel/index.ts';
import type { HandedConnection, LocalPod } from '../../../node-proxy/tunnel/index.ts';
import { type Handing, HandOvers } from '../../../node-proxy/workers/hand-over.ts';

const POD = 'dev:1';
const LIMIT = 4_096;

/** What a policy worker's thread does with a descriptor, and nothing else. */
const RECEIVER = `
  const { parentPort, threadId } = require('node:worker_threads');
  const { Socket } = require('node:net');
  parentPort.on('message', ({ port, takes }) => {
    port.on('message', ({ seq, fd, connection }) => {
      if (!takes) return;
      const socket = new Socket({ fd });
      socket.on('error', () => {});
      socket.on('data', chunk => socket.write(threadId + ' ' + connection.source.port + ' ' + chunk));
      port.postMessage({ taken: seq });
    });
    parentPort.postMessage('ready');
  });
`;

describe('handing connections over', () => {
  let server: Server;
  let handOvers: HandOvers;
  let needed: string[];
  let refused: string[];
  let nowMs: number;
  let pods: Map<string, LocalPod>;
  const clients: Socket[] = [];
  const threads: Worker[] = [];

  before(async () => {
    server = createServer({ pauseOnConnect: true }, socket => {
      // As a tunnel worker does: the copy lives on, this thread's own is closed.
      const fd = dupFd((socket as unknown as { _handle: { fd: number } })._handle.fd);
      const { remotePort = 0 } = socket;
      socket.destroy();
      handOvers.hand(fd, connectionFrom(remotePort));
      server.emit('handed');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  beforeEach(() => {
    [needed, refused, nowMs] = [[], [], 0];
    pods = new Map([[POD, { who: { id: POD, namespace: 'shop' } } as LocalPod]]);
    handOvers = new HandOvers({
      policyWorkers: { shared: 1, isolated: [] },
      podOf: id => pods.get(id),
      need: worker => needed.push(worker),
      refused: ({ door }, pod, reason) => refused.push(`${door} ${pod?.who.namespace} ${reason}`),
      now: () => nowMs,
    });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    handOvers.close();
    await Promise.all(threads.splice(0).map(thread => thread.terminate()));
  });

  after(() => server.close());

  const connectionFrom = (port: number): HandedConnection => ({
    door: 'outbound',
    pod: POD,
    source: { ip: '127.0.0.1', port },
    original: { ip: '10.0.0.1', port: 80 },
  });

  async function client(): Promise<Socket> {
    const handed = once(server, 'handed');
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    clients.push(socket);
    await Promise.all([once(socket, 'connect'), handed]);
    return socket;
  }

  /** A thread that takes connections, or only lets them come. */
  async function receiver(takes = true): Promise<{ thread: Worker; port: MessagePort }> {
    const thread = new Worker(RECEIVER, { eval: true });
    threads.push(thread);
    const { port1, port2 } = new MessageChannel();
    thread.postMessage({ port: port2, takes }, [port2]);
    await once(thread, 'message');
    return { thread, port: port1 };
  }

  async function answer(socket: Socket, text: string): Promise<string> {
    socket.write(text);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString();
  }

  async function isReset(socket: Socket): Promise<void> {
    await assert.rejects(once(socket, 'data'), { code: 'ECONNRESET' });
  }

  /** One that is reset as soon as it is accepted: the connect itself may fail of it. */
  async function isResetAtOnce(): Promise<void> {
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    clients.push(socket);
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  }

  /** As soon as the messages that are under way have come. */
  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise(resolve => setImmediate(resolve));
  }

  it('moves the descriptor: the other thread reads and answers', async () => {
    const { thread, port } = await receiver();
    handOvers.attach('policy-0', port);
    const socket = await client();
    assert.equal(await answer(socket, 'hello'), `${thread.threadId} ${socket.localPort} hello`);
    await until(() => handOvers.waiting === 0);
    assert.equal(handOvers.total, 1);
  });

  it('asks once, and holds connections until the policy worker has started', async () => {
    const sockets = [await client(), await client()];
    assert.deepEqual(needed, ['policy-0']);
    assert.equal(handOvers.waiting, 2);
    const { thread, port } = await receiver();
    handOvers.attach('policy-0', port);
    for (const socket of sockets)
      assert.equal(await answer(socket, 'late'), `${thread.threadId} ${socket.localPort} late`);
    assert.deepEqual(refused, []);
  });

  it('gives what a dead worker had not taken to its successor, with every byte', async () => {
    const dying = await receiver(false);
    handOvers.attach('policy-0', dying.port);
    const socket = await client();
    socket.write('early ');
    await dying.thread.terminate();
    handOvers.gone('policy-0');
    assert.equal(handOvers.waiting, 1);
    const next = await receiver();
    handOvers.attach('policy-0', next.port);
    assert.match(await answer(socket, ''), new RegExp(`^${next.thread.threadId} \\d+ early $`));
    assert.deepEqual(needed, ['policy-0'], 'the main thread makes the port for the successor unasked');
  });

  it('leaves numbers alone that are somebody else’s by now', async () => {
    const dying = await receiver();
    handOvers.attach('policy-0', dying.port);
    const lost = await client();
    assert.match(await answer(lost, 'x'), /x$/);
    const closed = once(lost, 'close');
    await dying.thread.terminate();
    await closed;
    // The lowest free numbers are given first, so the one that the thread closed is among these.
    const others = [await client(), await client(), await client()];
    assert.equal(handOvers.waiting, 3, 'they were posted to a thread that is dead');
    handOvers.gone('policy-0');
    assert.equal(handOvers.waiting, 3);
    const next = await receiver();
    handOvers.attach('policy-0', next.port);
    for (const socket of others) assert.match(await answer(socket, 'mine'), /mine$/);
  });

  it('ends what was said to be taken but never got a socket', async () => {
    const { port1, port2 } = new MessageChannel();
    handOvers.attach('policy-0', port1);
    const socket = await client();
    const [{ seq }] = (await once(port2, 'message')) as [Handing];
    port2.postMessage({ taken: seq });
    await until(() => handOvers.waiting === 0);
    port2.close();
    const end = isReset(socket);
    handOvers.gone('policy-0');
    await end;
    assert.equal(handOvers.waiting, 0);
  });

  it('resets and counts what waited for too long', async () => {
    const early = await client();
    nowMs = 4_000;
    const late = await client();
    const end = isReset(early);
    nowMs = 5_000;
    handOvers.sweep();
    await end;
    assert.deepEqual(refused, ['outbound shop no_policy_worker']);
    assert.equal(handOvers.waiting, 1);
    const { port } = await receiver();
    handOvers.attach('policy-0', port);
    assert.match(await answer(late, 'in time'), /in time$/);
  });

  it('resets and counts what is too much', async () => {
    const socket = await client();
    const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
    for (let i = 1; i < LIMIT; i++) handOvers.hand(dupFd(fd), connectionFrom(i));
    assert.deepEqual([handOvers.waiting, refused.length], [LIMIT, 0]);
    const before = readdirSync('/proc/self/fd').length;
    await isResetAtOnce();
    assert.deepEqual(refused, ['outbound shop no_policy_worker']);
    const end = isReset(socket);
    handOvers.close();
    await end;
    assert.ok(readdirSync('/proc/self/fd').length < before - LIMIT + 10, 'descriptors are left');
  });

  it('a worker that hangs fills up too, instead of the process', async () => {
    const { port1, port2 } = new MessageChannel();
    handOvers.attach('policy-0', port1);
    const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
    for (let i = 0; i <= LIMIT; i++) handOvers.hand(dupFd(fd), connectionFrom(i));
    assert.deepEqual([handOvers.waiting, refused.length], [LIMIT, 1]);
    port2.close();
    handOvers.gone('policy-0');
  });

  it('ends what waits for a pod that has left, or that nobody knows', async () => {
    const waits = await client();
    const end = isReset(waits);
    handOvers.drop(POD);
    await end;
    pods.clear();
    await isResetAtOnce();
    assert.deepEqual(refused, ['outbound shop unenrolled', 'outbound undefined unenrolled']);
  });
});
