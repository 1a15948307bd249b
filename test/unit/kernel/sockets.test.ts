import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  closeFd,
  connectingSocketIn,
  dupFd,
  KernelError,
  listenIn,
  openNetns,
  originalDestination,
  peerCredentials,
  readSysctlIn,
  setKeepAlive,
  setSysctlIn,
  setUserTimeout,
} from '../../../node-proxy/kernel/index.ts';

function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

function kernelError(errno: string, next?: RegExp) {
  return (error: unknown) => {
    assert(error instanceof KernelError);
    assert.equal(error.code, 'NM_KERNEL');
    assert.equal(error.errno, errno);
    if (next !== undefined) assert.match(error.next ?? '', next);
    return true;
  };
}

for (const ip of ['127.0.0.1', '::1'])
  test(`a raw listener on ${ip} is served by net.Server, a raw socket connects to it`, async () => {
    const { fd, port } = listenIn(undefined, { ip, port: 0 });
    const server = createServer(socket => socket.end(`hello ${socket.remoteAddress}`));
    server.listen({ fd });
    await once(server, 'listening');
    const client = new Socket({ fd: connectingSocketIn(undefined, { family: ip === '::1' ? 6 : 4 }) });
    client.connect(port, ip).setEncoding('utf8');
    const [text] = await once(client, 'data');
    assert.equal(text, `hello ${ip}`);
    client.destroy();
    server.close();
    await once(server, 'close');
  });

test('two listeners share a port only if both ask for it', () => {
  const ip = '127.0.0.1';
  const first = listenIn(undefined, { ip, port: 0, reusePort: true });
  const second = listenIn(undefined, { ip, port: first.port, reusePort: true });
  assert.throws(
    () => listenIn(undefined, { ip, port: first.port }),
    kernelError('EADDRINUSE', /SO_REUSEPORT/),
  );
  closeFd(first.fd);
  closeFd(second.fd);
});

test('the source address of a connection can be chosen', async () => {
  const { fd, port } = listenIn(undefined, { ip: '127.0.0.1', port: 0 });
  const server = createServer(socket => socket.end(`${socket.remoteAddress}`));
  server.listen({ fd });
  const source = { ip: '127.0.0.9', transparent: false };
  const client = new Socket({ fd: connectingSocketIn(undefined, { family: 4, source }) });
  client.connect(port, '127.0.0.1').setEncoding('utf8');
  assert.deepEqual(await once(client, 'data'), ['127.0.0.9']);
  client.destroy();
  server.close();
  await once(server, 'close');
});

test('a source address that is not ours names itself in the error', () => {
  const source = { ip: '192.0.2.1', transparent: false };
  assert.throws(
    () => connectingSocketIn(undefined, { family: 4, source }),
    (error: unknown) => {
      assert.match(String(error), /192\.0\.2\.1/);
      return kernelError('EADDRNOTAVAIL')(error);
    },
  );
});

test('dup gives a descriptor that outlives the first', async () => {
  const { fd, port } = listenIn(undefined, { ip: '127.0.0.1', port: 0 });
  const copy = dupFd(fd);
  closeFd(fd);
  const server = createServer(socket => socket.end('still here')).listen({ fd: copy });
  const client = connect(port, '127.0.0.1').setEncoding('utf8');
  assert.deepEqual(await once(client, 'data'), ['still here']);
  client.destroy();
  server.close();
  await once(server, 'close');
});

test('closing twice is an error, not an accident', () => {
  const { fd } = listenIn(undefined, { ip: '127.0.0.1', port: 0 });
  closeFd(fd);
  assert.throws(() => closeFd(fd), kernelError('EBADF'));
  assert.throws(() => dupFd(fd), kernelError('EBADF'));
  assert.throws(() => originalDestination(fd), kernelError('EBADF'));
});

test('keepalive and user timeout are set on a live socket', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  await once(client, 'connect');
  setKeepAlive(fdOf(client), { idleSeconds: 30, intervalSeconds: 5, probes: 3 });
  setUserTimeout(fdOf(client), 20_000);
  assert.throws(
    () => setKeepAlive(fdOf(client), { idleSeconds: 0, intervalSeconds: 5, probes: 3 }),
    kernelError('EINVAL'),
  );
  client.destroy();
  server.close();
  await once(server, 'close');
});

test('the peer of a unix socket is known', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'nm-peer-'));
  const path = join(directory, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const client = connect(path);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  assert.deepEqual(peerCredentials(fdOf(accepted)), {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  client.destroy();
  accepted.destroy();
  server.close();
  await once(server, 'close');
  rmSync(directory, { recursive: true });
});

test('what is no network namespace is refused with a reason', () => {
  assert.throws(() => openNetns('/nonexistent/netns'), kernelError('ENOENT', /pod is probably gone/));
  assert.throws(() => openNetns('/etc/hostname'), kernelError('EINVAL', /no network namespace/));
  assert.throws(() => openNetns('/proc/self/ns/mnt'), kernelError('EINVAL', /no network namespace/));
});

test('a namespace has an identity', () => {
  const a = openNetns('/proc/self/ns/net');
  const b = openNetns('/proc/thread-self/ns/net');
  assert.equal(a.id, b.id);
  assert.equal(a.inode, b.inode);
  assert.notEqual(a.fd, b.fd);
  a.close();
  a.close();
  b.close();
});

test('only network settings can be named', () => {
  assert.match(readSysctlIn(undefined, 'net.ipv4.ip_forward'), /^[01]$/);
  for (const key of ['kernel.hostname', 'net', 'net.ipv4/../../kernel', 'net..ipv4', ''])
    assert.throws(() => setSysctlIn(undefined, key, 1), kernelError('EINVAL'));
  assert.throws(() => readSysctlIn(undefined, 'net.ipv4.no_such_key'), kernelError('ENOENT'));
});
