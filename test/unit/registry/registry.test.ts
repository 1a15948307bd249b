import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Replica } from '#api';
import { memoryEnrolment, type Registry } from '../../../namerd/registry/index.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';

function replicas(registry: Registry, key: string, port = 0): readonly Replica[] | undefined {
  const state = registry.watchService(key).current?.ports[port]?.replicas;
  return state?.state === 'bound' ? state.replicas : undefined;
}

function addresses(registry: Registry, key: string, port = 0): string[] | undefined {
  return replicas(registry, key, port)?.map(({ address }) => address);
}

suite('registry: who serves a service', () => {
  test('ready workloads of the namespace with all labels of the selector, by key', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    source.set(
      [service('a', { selector: { app: 'a', tier: 'x' } }), service('none', { selector: {} })],
      [
        workload('w2', 'a', '10.0.0.2', { labels: { app: 'a', tier: 'x', more: 'y' } }),
        workload('w1', 'a', '10.0.0.1', { labels: { app: 'a', tier: 'x' } }),
        workload('half', 'a', '10.0.0.3', { labels: { app: 'a' } }),
        workload('other', 'a', '10.0.0.4', { namespace: 'other', labels: { app: 'a', tier: 'x' } }),
        workload('unready', 'a', '10.0.0.5', { labels: { app: 'a', tier: 'x' }, ready: false }),
        workload('homeless', 'a', '', { labels: { app: 'a', tier: 'x' } }),
      ],
    );
    assert.deepEqual(addresses(registry, 'default/a'), ['10.0.0.1:8080', '10.0.0.2:8080']);
    assert.deepEqual(addresses(registry, 'default/none'), []);
    assert.equal(registry.watchService('default/nobody').current, undefined);
    assert.deepEqual(replicas(registry, 'default/a')?.[0], {
      address: '10.0.0.1:8080',
      workload: 'default/w1',
      node: 'node-1',
      identity: 'spiffe://mesh.test/ns/default/sa/default',
      hbone: false,
      zone: '',
      weight: 1,
      terminating: false,
    });
  });

  test('a named target port is looked up in each workload; who does not have it does not serve', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    const port = { name: '', port: 80, target: 'web', appProtocol: '' };
    source.set(
      [service('a', { ports: [port] }), service('odd', { ports: [{ ...port, target: 'constructor' }] })],
      [
        workload('w1', 'a', '10.0.0.1', { ports: { web: 81 } }),
        workload('w2', 'a', '2001:db8::2', { ports: { web: 82 } }),
        workload('w3', 'a', '10.0.0.3', { ports: { other: 83 } }),
        workload('w4', 'odd', '10.0.0.4'),
      ],
    );
    assert.deepEqual(addresses(registry, 'default/a'), ['10.0.0.1:81', '[2001:db8::2]:82']);
    assert.deepEqual(addresses(registry, 'default/odd'), []);
  });

  test('a change wakes only those whom it concerns, once, and leaves the rest the same objects', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    const services = [service('a'), service('b')];
    const b1 = workload('b1', 'b', '10.0.1.1', { node: 'node-2' });
    source.set(services, [workload('a1', 'a', '10.0.0.1'), b1]);
    const woken: string[] = [];
    for (const key of ['a', 'b']) registry.watchService(`default/${key}`).observe(() => woken.push(key));
    for (const ip of ['10.0.0.1', '10.0.0.2', '10.0.1.1'])
      registry.watchAddress(ip).observe(() => woken.push(ip));
    for (const node of ['node-1', 'node-2']) registry.watchNode(node).observe(() => woken.push(node));
    const before = registry.watchService('default/b').current;
    woken.length = 0;

    source.set(services, [workload('a1', 'a', '10.0.0.1'), workload('a2', 'a', '10.0.0.2'), { ...b1 }]);
    assert.deepEqual(woken.sort(), ['10.0.0.2', 'a', 'node-1']);
    assert.equal(registry.watchService('default/b').current, before);

    woken.length = 0;
    source.set(services, [workload('a2', 'a', '10.0.0.2'), b1]);
    assert.deepEqual(woken.sort(), ['10.0.0.1', 'a', 'node-1']);
    assert.equal(registry.watchAddress('10.0.0.1').current, undefined);

    // Something that no replica shows.
    woken.length = 0;
    source.set(services, [workload('a2', 'a', '10.0.0.2', { annotations: { note: 'x' } }), b1]);
    assert.deepEqual(woken.sort(), ['10.0.0.2', 'node-1']);
  });

  test('a port keeps its replicas object while another port changes', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    const http = { name: 'http', port: 80, target: 8080, appProtocol: '' };
    const admin = { name: 'admin', port: 81, target: 'admin', appProtocol: '' };
    source.set([service('a', { ports: [http, admin] })], [workload('w', 'a', '10.0.0.1')]);
    const before = registry.watchService('default/a').current;
    source.set(
      [service('a', { ports: [http, admin] })],
      [workload('w', 'a', '10.0.0.1', { ports: { admin: 9 } })],
    );
    const after = registry.watchService('default/a').current;
    assert.equal(after?.ports[0], before?.ports[0]);
    assert.notEqual(after?.ports[1], before?.ports[1]);
    assert.deepEqual(addresses(registry, 'default/a', 1), ['10.0.0.1:9']);
  });
});

suite('registry: addresses and conflicts', () => {
  test('a service, a workload, nobody', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    source.set([service('a', { addresses: ['10.96.0.1'] })], [workload('w', 'a', '10.0.0.1')]);
    assert.equal(registry.ownerOf('10.96.0.1')?.type, 'service');
    assert.equal(registry.ownerOf('10.0.0.1')?.type, 'workload');
    assert.equal(registry.ownerOf('10.0.0.9'), undefined);
    assert.deepEqual(
      registry.workloadsOn('node-1').map(({ workload }) => workload.name),
      ['w'],
    );
  });

  test('of two claimants the first by name has the address, and the other is told', async () => {
    const source = new TestSource('file.yaml');
    const registry = await registryOf([source]);
    const vip = { addresses: ['10.96.0.1'] };
    source.set(
      [service('b', vip), service('a', vip)],
      [workload('y', 'a', '10.0.0.1'), workload('x', 'a', '10.0.0.1'), workload('z', 'a', '10.96.0.1')],
    );
    const owner = registry.ownerOf('10.96.0.1');
    assert.equal(owner?.type === 'service' && owner.service.name, 'a');
    const workloadOwner = registry.ownerOf('10.0.0.1');
    assert.equal(workloadOwner?.type === 'workload' && workloadOwner.state.workload.name, 'x');
    const seen = registry.status.current.map(({ kind, key, state, source }) => [kind, key, state, source]);
    assert.deepEqual(seen, [
      ['Service', 'default/b', 'warning', 'file.yaml'],
      ['Workload', 'default/y', 'warning', 'file.yaml'],
      ['Workload', 'default/z', 'warning', 'file.yaml'],
    ]);
    assert.match(
      registry.status.current[0]?.messages[0] ?? '',
      /10\.96\.0\.1 is also claimed by Service default\/a/,
    );

    source.set([service('b', vip)], []);
    assert.deepEqual(registry.status.current, []);
    const now = registry.ownerOf('10.96.0.1');
    assert.equal(now?.type === 'service' && now.service.name, 'b');
  });

  test('the first source that has an object wins; the other copy is an error in the status', async () => {
    const [first, second] = [new TestSource('one'), new TestSource('two')];
    const registry = await registryOf([first, second]);
    second.set([], [workload('w', 'a', '10.0.0.2')]);
    first.set([], [workload('w', 'a', '10.0.0.1')]);
    assert.equal(registry.workload('default/w')?.workload.addresses[0], '10.0.0.1');
    assert.deepEqual(
      registry.status.current.map(({ key, source, state }) => [key, source, state]),
      [['default/w', 'two', 'error']],
    );
    first.set([]);
    assert.equal(registry.workload('default/w')?.workload.addresses[0], '10.0.0.2');
    assert.deepEqual(registry.status.current, []);
  });

  test('closed, it hears no source any more', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    registry.close();
    source.set([service('a')]);
    assert.deepEqual(registry.services(), []);
    assert.equal(source.snapshot.observers + source.status.observers, 0);
  });
});

suite('registry: enrolment', () => {
  const hbone = (registry: Registry) => replicas(registry, 'default/a')?.map(each => each.hbone);

  test('a report makes replicas speak HBONE, only of workloads on the reporting node', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    source.set(
      [service('a')],
      [workload('w1', 'a', '10.0.0.1'), workload('w2', 'a', '10.0.0.2', { node: 'node-2' })],
    );
    let woken = 0;
    registry.watchService('default/a').observe(() => woken++);
    await registry.setReported('node-1', ['default/w1', 'default/w2', 'default/unknown']);
    assert.deepEqual(hbone(registry), [true, false]);
    assert.equal(woken, 2);
    await registry.setReported('node-1', ['default/unknown', 'default/w2', 'default/w1']);
    assert.equal(woken, 2, 'the same report changes nothing');
    await registry.setReported('node-1', []);
    assert.deepEqual(hbone(registry), [false, false]);
  });

  test('the label decides before any report', async () => {
    const source = new TestSource();
    const registry = await registryOf([source]);
    source.set(
      [service('a')],
      [
        workload('w1', 'a', '10.0.0.1', { labels: { app: 'a', 'nodemesh.io/mesh': 'enabled' } }),
        workload('w2', 'a', '10.0.0.2', { labels: { app: 'a', 'nodemesh.io/mesh': 'disabled' } }),
      ],
    );
    await registry.setReported('node-1', ['default/w2']);
    assert.deepEqual(hbone(registry), [true, false]);
  });

  test('a report survives a restart, and counts for a workload that appears later', async () => {
    const store = memoryEnrolment();
    const first = await registryOf([], store);
    await first.setReported('node-1', ['default/w1']);
    const source = new TestSource();
    const second = await registryOf([source], store);
    source.set([service('a')], [workload('w1', 'a', '10.0.0.1')]);
    assert.deepEqual(hbone(second), [true]);
    source.set([service('a')], [workload('w1', 'a', '10.0.0.1', { node: 'node-9' })]);
    assert.deepEqual(hbone(second), [false], 'on another node it is that node that must report it');
  });

  test('a report is kept before anybody acts on it, and reports of a node follow one another', async () => {
    const steps: string[] = [];
    const source = new TestSource();
    const registry = await registryOf([source], {
      load: async () => new Map(),
      save: async (_, workloads) => {
        steps.push(`save ${workloads.length} ${hbone(registry)}`);
        await new Promise(setImmediate);
      },
    });
    source.set([service('a')], [workload('w1', 'a', '10.0.0.1')]);
    registry.watchService('default/a').observe(() => steps.push(`told ${hbone(registry)}`));
    await Promise.all([registry.setReported('node-1', ['default/w1']), registry.setReported('node-1', [])]);
    assert.deepEqual(steps, ['told false', 'save 1 false', 'told true', 'save 0 true', 'told false']);
  });

  test('a store that fails is no reason to disbelieve a proxy', async () => {
    const source = new TestSource();
    const registry = await registryOf([source], {
      load: async () => new Map(),
      save: async () => {
        throw new Error('disk full');
      },
    });
    source.set([service('a')], [workload('w1', 'a', '10.0.0.1')]);
    await registry.setReported('node-1', ['default/w1']);
    assert.deepEqual(hbone(registry), [true]);
  });

  test('a report without measure is refused', async () => {
    const registry = await registryOf([]);
    await assert.rejects(registry.setReported('n', Array(20_001).fill('a/b')), { code: 'NM_REPORT_REFUSED' });
  });
});
