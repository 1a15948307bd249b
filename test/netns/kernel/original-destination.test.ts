import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Endpoint } from '#base/net.ts';
import { originalDestination } from '../../../node-proxy/kernel/index.ts';
import { NetnsLab, netnsUnavailable, type TestNetns } from '../../lib/netns.ts';

function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

describe('original destination', { skip: netnsUnavailable() }, () => {
  let lab: NetnsLab;
  let pod: TestNetns;
  before(async () => {
    lab = await NetnsLab.open();
    pod = await lab.namespace('pod');
    const addresses = ['10.1.2.3/24', 'fd00::3/64'];
    await lab.veth({ ns: pod, device: 'eth0', addresses }, { ns: pod, device: 'peer' });
  });
  after(() => lab.close());

  async function destinationSeen(listenOn: string, destination: Endpoint, family?: 4 | 6, v6only = true) {
    const { promise, resolve } = Promise.withResolvers<Endpoint | undefined>();
    const onConnection = (socket: Socket) => {
      resolve(originalDestination(fdOf(socket), family));
      socket.end();
    };
    const { server } = await pod.listen(listenOn, 15001, onConnection, { v6only });
    const socket = await pod.connect(destination.ip, destination.port);
    const seen = await promise;
    await once(socket.resume(), 'close');
    server.close();
    await once(server, 'close');
    return seen;
  }

  test('without NAT there is nothing to know', async () => {
    assert.equal(await destinationSeen('127.0.0.1', { ip: '127.0.0.1', port: 15001 }), undefined);
  });

  test('redirected connections remember where they wanted to go', async t => {
    const redirect = ['-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '80'];
    const target = ['-j', 'REDIRECT', '--to-ports', '15001'];
    await pod.run('iptables', '-w', ...redirect, ...target);
    await pod.run('ip6tables', '-w', ...redirect, ...target);
    const v4 = { ip: '10.1.2.200', port: 80 };
    const v6 = { ip: 'fd00::1:0:0:99', port: 80 };
    for (const hint of [undefined, 4, 6] as const) {
      assert.deepEqual(await destinationSeen('0.0.0.0', v4, hint), v4);
      assert.deepEqual(await destinationSeen('::', v6, hint), v6);
      assert.deepEqual(
        await destinationSeen('::', v4, hint, false),
        v4,
        'IPv4 peer of a dual-stack listener',
      );
    }
    const direct = { ip: '10.1.2.3', port: 15001 };
    assert.deepEqual(await destinationSeen('0.0.0.0', direct), direct, 'not redirected: the local address');
    t.diagnostic(await cost(v4));
  });

  /** Reported, not asserted: the machine decides. */
  async function cost({ ip, port }: Endpoint): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<number>();
    await pod.listen('0.0.0.0', 15001, socket => {
      const fd = fdOf(socket);
      const rounds = 20_000;
      const start = performance.now();
      for (let i = 0; i < rounds; i++) originalDestination(fd);
      resolve(((performance.now() - start) * 1e6) / rounds);
      socket.end();
    });
    await pod.connect(ip, port);
    return `originalDestination: ${(await promise).toFixed(0)} ns per call`;
  }
});
