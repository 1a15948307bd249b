import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Capture, captureRules, iptablesOf } from '#capture';
import { readPodAdd, readPodDelete } from '#cni';
import {
  bridgeNetwork,
  type CniFailure,
  CniRuntime,
  type Container,
  cniPluginsUnavailable,
} from '../../lib/cni-runtime.ts';
import { NetnsLab, netnsUnavailable, type TestNetns } from '../../lib/netns.ts';
import { NodeSocket } from '../../unit/cni/node-socket.ts';

const root = join(import.meta.dirname, '../../..');
const skip = netnsUnavailable() || cniPluginsUnavailable('bridge', 'host-local');
const capture = new Capture(iptablesOf('nft'));
const PORT = 8080;

/** The plugin as source, and as the executable that nodes get. */
for (const kind of ['source', 'executable'] as const)
  describe(`the CNI plugin as ${kind}, behind bridge and host-local`, { skip }, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'nm-cni-'));
    const executable = join(scratch, 'nodemesh-cni');
    const nodemesh = kind === 'source' ? [process.execPath, join(root, 'cni-plugin/main.ts')] : [executable];
    let lab: NetnsLab;
    let node: TestNetns;
    let socket: NodeSocket;
    let runtime: CniRuntime;
    let count = 0;

    before(async () => {
      if (kind === 'executable')
        execFileSync(process.execPath, [join(root, 'cni-plugin/build.mjs'), '--output', executable], {
          stdio: 'pipe',
        });
      lab = await NetnsLab.open();
      node = await lab.namespace('node');
    });
    after(async () => {
      await lab.close();
      rmSync(scratch, { recursive: true });
    });

    beforeEach(async () => {
      socket = await NodeSocket.open();
      // As node-proxy does it: the plugin hears success when capture is in place.
      socket.answers['/v1/pods/add'] = async ({ body }) => {
        await capture.apply(readPodAdd(body).netns, captureRules());
        return { body: { enrolled: true } };
      };
      socket.answers['/v1/pods/delete'] = ({ body }) => {
        readPodDelete(body);
        return { body: {} };
      };
      runtime = new CniRuntime({ list: network({ socket: socket.path }), node, commands: { nodemesh } });
    });

    afterEach(() => socket.close());

    function network(nodemesh: Record<string, unknown>) {
      const subnets = ['10.88.0.0/24', 'fd88::/64'];
      return bridgeNetwork({
        name: 'pods',
        bridge: 'cni0',
        subnets,
        dataDir: join(scratch, 'ipam'),
        nodemesh,
      });
    }

    async function pod(podNamespace = 'shop'): Promise<{ ns: TestNetns; container: Container }> {
      const ns = await lab.namespace(`pod${++count}`);
      const container = { id: `c${kind}${count}`, netns: ns.path, podName: `web-${count}`, podNamespace };
      return { ns, container };
    }

    test('ADD returns when the pod is captured, DEL gives all back', async t => {
      const { ns, container } = await pod();
      const start = performance.now();
      const result = await runtime.add(container);
      t.diagnostic(
        `ADD with capture, bridge and host-local included: ${(performance.now() - start).toFixed(0)} ms`,
      );
      const ips = result.ips?.map(({ address }) => address.split('/')[0] ?? '') ?? [];
      assert.equal(ips.length, 2);
      assert.deepEqual(readPodAdd(socket.asked[0]?.body).ips, ips);
      assert.equal((await capture.inspect(ns.path, captureRules())).state, 'complete');
      assert.equal(result.interfaces?.at(-1)?.name, 'eth0');

      // Nobody listens on 15001 here: a connection that is captured is refused, one that is not gets through.
      await node.listen('10.88.0.1', PORT, peer => peer.end());
      await assert.rejects(ns.connect('10.88.0.1', PORT), { code: 'ECONNREFUSED' });
      await capture.remove(ns.path);
      (await ns.connect('10.88.0.1', PORT)).destroy();

      await runtime.delete(container);
      await runtime.delete(container);
      assert.deepEqual(
        socket.asked.map(({ path }) => path),
        ['/v1/pods/add', '/v1/pods/delete', '/v1/pods/delete'],
      );
    });

    // Starting from source takes ten times as long; that it works at all is enough.
    if (kind === 'source') return;

    test('a refusal fails ADD with its reason, DEL cleans up', async () => {
      const body = { code: 'NM_CAPTURE_RULES', message: 'no nat table', by: 'mesh', next: 'Load nf_tables.' };
      socket.answers['/v1/pods/add'] = () => ({ status: 500, body });
      const { container } = await pod();
      await assert.rejects(runtime.add(container), (error: CniFailure) => {
        assert.equal(error.plugin, 'nodemesh');
        assert.equal(error.code, 100);
        assert.match(error.message, /no nat table/);
        assert.match(error.details, /Load nf_tables/);
        return true;
      });
      await runtime.delete(container);
    });

    test('without node-proxy: ADD fails by name, excluded namespaces start, DEL succeeds, netns gone or not', async () => {
      const list = network({ socket: join(scratch, 'none.sock') });
      const lonely = new CniRuntime({ list, node, commands: { nodemesh } });
      const { container } = await pod();
      await assert.rejects(lonely.add(container), (error: CniFailure) => {
        assert.equal(error.code, 11);
        assert.match(error.message, /none\.sock/);
        assert.match(error.details, /node-proxy is not running/);
        return true;
      });
      await lonely.delete(container);
      await lonely.delete({ ...container, netns: '' });
      const system = await pod('kube-system');
      const result = await lonely.add(system.container);
      assert.equal(result.ips?.length, 2);
      await lonely.delete(system.container);
    });

    test('CHECK holds the chain together', async () => {
      const { container } = await pod();
      await runtime.add(container);
      await runtime.check(container);
      assert.equal(socket.asked.at(-1)?.path, '/v1/pods/check');
      socket.answers['/v1/pods/check'] = () => ({
        status: 409,
        body: { code: 'NM_X', message: 'rules are gone', by: 'mesh' },
      });
      await assert.rejects(runtime.check(container), /rules are gone/);
      await runtime.delete(container);
    });

    test('STATUS and GC, of CNI 1.1', async () => {
      const list = { ...network({ socket: socket.path }), cniVersion: '1.1.0' };
      const newer = new CniRuntime({ list, node, commands: { nodemesh } });
      await newer.status('nodemesh');
      await newer.gc([{ id: 'c1' }], 'nodemesh');
      assert.deepEqual(socket.asked.at(-1)?.body, { valid: [{ containerId: 'c1', ifName: 'eth0' }] });
      assert.deepEqual((await newer.version('nodemesh')).supportedVersions.at(-1), '1.1.0');
      socket.answers['/v1/status'] = () => ({ body: { ready: false, blockers: ['starting'] } });
      await assert.rejects(newer.status('nodemesh'), (error: CniFailure) => error.code === 50);
    });
  });
