import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AddressState } from '#api';
import { Cell } from '#base/watch.ts';
import { type Dtab, parseDtab, parsePath } from '#names';
import { AddressBinder, baseDtab, Interpreter, meshDtab, NamerTable } from '../../../namerd/bind/index.ts';
import { Hosts, RegistryNamer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { settled, TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import { showBoundTree } from '../../lib/naming/show-binding.ts';

async function setUp() {
  const [clock, resolver, source] = [new FakeClock(), new TestResolver(), new TestSource()];
  const registry = await registryOf([source]);
  const namers = new NamerTable(
    [new RegistryNamer(registry)],
    new SystemNamers(new Hosts({ clock, resolver })),
  );
  const interpreter = new Interpreter({ namers, registry, clock });
  const namespace = new Cell<Dtab | undefined>(undefined);
  const dtab = meshDtab(baseDtab(parsePath('/#/registry')), namespace);
  const binder = new AddressBinder({ registry, interpreter, dtab, clock });
  return { clock, resolver, source, registry, namespace, binder };
}

function show(state: AddressState | undefined): string {
  if (state === undefined) return 'pending';
  if (state.target === 'service')
    return `${state.name} ${state.bound.state === 'bound' ? showBoundTree(state.bound.tree) : state.bound.message}`;
  if (state.target === 'workload')
    return `${state.replica.workload} ${state.replica.address} ${state.replica.hbone}`;
  return state.target;
}

function watch(binder: AddressBinder, address: string) {
  const seen: string[] = [];
  const dispose = binder.bind(address).observe(state => seen.push(show(state)));
  return { seen, dispose };
}

suite('addresses', () => {
  test('of services, by the name of the port or its number; of workloads; of nobody', async () => {
    const { source, binder } = await setUp();
    const ports = [
      { name: 'http', port: 80, target: 8080, appProtocol: 'http' },
      { name: '', port: 81, target: 81, appProtocol: '' },
    ];
    source.set(
      [service('a', { addresses: ['10.96.0.1', '2001:db8::1'], ports })],
      [workload('w', 'a', '10.0.0.1')],
    );
    const http = '/svc/default/a/http /#/registry/default/a/http[10.0.0.1:8080]';
    assert.deepEqual(watch(binder, '10.96.0.1:80').seen, [http]);
    assert.deepEqual(watch(binder, '[2001:DB8::0:1]:80').seen, [http]);
    assert.deepEqual(watch(binder, '10.96.0.1:81').seen, [
      '/svc/default/a/81 /#/registry/default/a/81[10.0.0.1:81]',
    ]);
    assert.deepEqual(watch(binder, '10.96.0.1:82').seen, ['unserved']);
    assert.deepEqual(watch(binder, '10.0.0.1:5555').seen, ['default/w 10.0.0.1:5555 false']);
    assert.deepEqual(watch(binder, '10.0.0.9:80').seen, ['foreign']);
    const state = binder.bind('10.96.0.1:80').current;
    assert.ok(state?.target === 'service');
    assert.deepEqual(
      [state.namespace, state.service, state.port, state.appProtocol],
      ['default', 'a', 'http', 'http'],
    );
    for (const bad of ['web:80', '10.0.0.1', '10.0.0.1:0', '2001:db8::1:80'])
      assert.throws(() => binder.bind(bad), { code: 'NM_BAD_ADDRESS' });
  });

  test('change as registry, reports and dtab do, and are told once per change', async () => {
    const { source, registry, namespace, binder } = await setUp();
    const a = service('a', { addresses: ['10.96.0.1'] });
    source.set([a], [workload('w', 'a', '10.0.0.1')]);
    const vip = watch(binder, '10.96.0.1:80');
    const own = watch(binder, '10.0.0.1:80');
    await registry.setReported('node-1', ['default/w']);
    namespace.set(parseDtab('/svc/default/a => $'));
    source.set([{ ...a, addresses: [] }], [workload('w', 'a', '10.0.0.1')]);
    source.set([], []);
    const bound = '/svc/default/a/http /#/registry/default/a/http[10.0.0.1:8080]';
    assert.deepEqual(vip.seen, [bound, bound, '/svc/default/a/http empty', 'foreign']);
    assert.deepEqual(own.seen, ['default/w 10.0.0.1:80 false', 'default/w 10.0.0.1:80 true', 'foreign']);
  });

  test('nothing is said while the name is being bound', async () => {
    const { source, namespace, binder, resolver } = await setUp();
    source.set([service('a', { addresses: ['10.96.0.1'] })]);
    namespace.set(parseDtab('/svc/default/a => /$/inet/web/80'));
    resolver.hosts.set('web', { addresses: ['10.9.9.9'], ttlMs: 0 });
    const { seen } = watch(binder, '10.96.0.1:80');
    await settled();
    assert.deepEqual(seen, ['pending', '/svc/default/a/http /$/inet/web/80+/http[10.9.9.9:80]']);
  });

  test('are let go when nobody watches', async () => {
    const { binder, clock, source } = await setUp();
    source.set([service('a', { addresses: ['10.96.0.1'] })]);
    watch(binder, '10.96.0.1:80').dispose();
    clock.advance(30_000);
    assert.equal(clock.timers, 0);
    watch(binder, '10.96.0.1:80').dispose();
    binder.close();
  });
});
