import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { InvariantError } from '#base/errors.ts';
import {
  connectingSocketIn,
  hostNetns,
  inNetns,
  type KernelError,
  openNetns,
  readSysctlIn,
  setSysctlIn,
} from '../../../node-proxy/kernel/index.ts';
import { NetnsLab, netnsUnavailable, type TestNetns } from '../../lib/netns.ts';

const kernel = new URL('../../../node-proxy/kernel/index.ts', import.meta.url).href;

function current(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

describe('network namespaces', { skip: netnsUnavailable() }, () => {
  let lab: NetnsLab;
  let pod: TestNetns;
  before(async () => {
    lab = await NetnsLab.open();
    pod = await lab.namespace('pod');
  });
  after(() => lab.close());

  test('an action runs inside, the thread comes back', () => {
    const outside = current();
    assert.equal(inNetns(pod.handle, current), `net:[${pod.handle.inode}]`);
    assert.equal(current(), outside);
    assert.equal(outside, `net:[${hostNetns().inode}]`);
  });

  test('the thread comes back when the action throws', () => {
    const outside = current();
    assert.throws(
      () =>
        inNetns(pod.handle, () => {
          throw new RangeError('from inside');
        }),
      new RangeError('from inside'),
    );
    assert.equal(current(), outside);
  });

  test('asynchronous and nested actions are refused', () => {
    assert.throws(() => inNetns(pod.handle, async () => {}), InvariantError);
    assert.throws(() => inNetns(pod.handle, () => inNetns(pod.handle, current)), InvariantError);
    assert.equal(current(), `net:[${hostNetns().inode}]`);
  });

  test('a closed handle fails without leaving', () => {
    const handle = openNetns(pod.path);
    handle.close();
    assert.throws(
      () => inNetns(handle, current),
      (error: KernelError) => error.errno === 'EBADF',
    );
  });

  test('no way back ends the process', async () => {
    const script = `
      import { closeFd, hostNetns, inNetns, openNetns } from ${JSON.stringify(kernel)};
      inNetns(openNetns(process.argv[1]), () => closeFd(hostNetns().fd));
      console.log('went on');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, pod.path]);
    let output = '';
    let errors = '';
    child.stdout.on('data', chunk => (output += chunk));
    child.stderr.on('data', chunk => (errors += chunk));
    const [, signal] = await once(child, 'close');
    assert.equal(signal, 'SIGABRT');
    assert.equal(output, '');
    assert.match(errors, /can't return to the host network namespace: EBADF/);
  });

  test('workers enter by descriptor, each for itself', async () => {
    const script = `
      import { readlinkSync } from 'node:fs';
      import { parentPort, workerData } from 'node:worker_threads';
      import { inNetns, hostNetns } from ${JSON.stringify(kernel)};
      const current = () => readlinkSync('/proc/thread-self/ns/net');
      let wrong = 0;
      for (let i = 0; i < 2000; i++) {
        if (inNetns({ fd: workerData.fd }, current) !== workerData.expected) wrong++;
        if (current() !== workerData.home) wrong++;
      }
      parentPort.postMessage(wrong);`;
    const other = await lab.namespace('other');
    const home = current();
    const results = [pod, other].map(async ns => {
      const workerData = { fd: ns.handle.fd, expected: `net:[${ns.handle.inode}]`, home };
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
        workerData,
      });
      const exit = once(worker, 'exit');
      const [wrong] = await once(worker, 'message');
      await exit;
      return wrong;
    });
    for (let i = 0; i < 2000; i++) inNetns(pod.handle, () => {});
    assert.deepEqual(await Promise.all(results), [0, 0]);
  });

  test('listeners and sockets made inside live inside', async () => {
    const { port } = await pod.listen('127.0.0.1', 0, socket => socket.end('pod'));
    const socket = (await pod.connect('127.0.0.1', port)).setEncoding('utf8');
    assert.deepEqual(await once(socket, 'data'), ['pod']);
    const outside = new Socket().connect(port, '127.0.0.1');
    const [error] = await once(outside, 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });

  test('settings belong to the namespace', () => {
    const key = 'net.ipv4.tcp_migrate_req';
    const outside = readSysctlIn(undefined, key);
    setSysctlIn(pod.handle, key, 1);
    assert.equal(readSysctlIn(pod.handle, key), '1');
    assert.equal(readSysctlIn(undefined, key), outside);
    assert.throws(
      () => setSysctlIn(pod.handle, key, 'many'),
      (error: KernelError) => error.errno === 'EINVAL' && /value/.test(error.next ?? ''),
    );
  });

  for (const [family, any, source, self] of [
    [4, '0.0.0.0', '198.51.100.7', '127.0.0.1'],
    [6, '::', '2001:db8::7', '::1'],
  ] as const)
    test(`IPv${family}: many sockets with one foreign source take their ports late`, async () => {
      await pod.run('ip', `-${family}`, 'route', 'add', 'local', source, 'dev', 'lo');
      const seen: (string | undefined)[] = [];
      const { port } = await pod.listen(any, 0, socket => {
        seen.push(socket.remoteAddress);
        socket.end('ok');
      });
      const options = { family, mark: 0x539, source: { ip: source, transparent: true } } as const;
      for (let i = 0; i < 20; i++) {
        const socket = await pod.connect(self, port, options);
        await once(socket.resume(), 'close');
      }
      assert.deepEqual(new Set(seen), new Set([source]));
      assert.equal(seen.length, 20);
    });

  test('a socket of a deleted namespace is refused, not hung', async () => {
    const gone = await lab.namespace('gone');
    const fd = connectingSocketIn(gone.handle, { family: 4 });
    const socket = new Socket({ fd }).connect(1, '192.0.2.1');
    const [error] = await once(socket, 'error');
    assert.equal(error.code, 'ENETUNREACH');
  });
});
