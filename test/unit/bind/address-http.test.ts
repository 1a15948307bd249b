/** Addresses and names with what is to be done with HTTP there. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AddressState, BoundTree } from '#api';
import { Cell } from '#base/watch.ts';
import { parseDtab, parsePath } from '#names';
import { AddressBinder, Interpreter, NamerTable } from '../../../namerd/bind/index.ts';
import { Hosts, REGISTRY_PREFIX, RegistryNamer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import {
  routeYaml,
  routingWorld,
  serviceYaml,
  trafficYaml,
  workloadYaml,
} from '../../lib/naming/routing-world.ts';

/** A service n/a at 10.96.0.1 and one n/b. */
const SERVICES =
  serviceYaml('n/a', '{name: http, port: 80}').replace(
    '{ports',
    '{addresses: [10.96.0.1, 10.96.0.2], ports',
  ) + serviceYaml('n/b', '{name: http, port: 80}');

async function setUp(t: TestContext) {
  const world = await routingWorld(t, SERVICES);
  const { registry, routing } = world;
  const clock = new FakeClock();
  const system = new SystemNamers(new Hosts({ clock, resolver: new TestResolver() }));
  const namers = new NamerTable([new RegistryNamer(registry, REGISTRY_PREFIX, routing)], system);
  const interpreter = new Interpreter({ namers, registry, clock });
  const dtab = new Cell(parseDtab('/svc => /#/registry'));
  const binder = new AddressBinder({ registry, interpreter, dtab, routing, clock });
  t.after(() => binder.close());
  const watch = (address: string) => {
    const seen: (AddressState | undefined)[] = [];
    t.after(binder.bind(address).observe(state => seen.push(state)));
    return seen;
  };
  return { ...world, interpreter, dtab, watch };
}

function serviceOf(state: AddressState | undefined) {
  assert.equal(state?.target, 'service');
  return state;
}

function leafOf(tree: BoundTree | undefined) {
  assert.equal(tree?.type, 'leaf');
  return tree;
}

test('an address has HTTP as soon as a route asks for it, and only its watchers are told', async t => {
  const { apply, watch, storage } = await setUp(t);
  const [seen, other] = [watch('10.96.0.1:80'), watch('10.96.0.3:80')];
  assert.equal('http' in serviceOf(seen[0]), false);
  await apply(routeYaml('n/r', 'name: a', '{backendRefs: [{name: late, port: 80}]}'));
  assert.equal(serviceOf(seen[1]).http?.routes?.actions[0]?.backends[0]?.invalid, 'BackendNotFound');
  await apply(serviceYaml('n/late', '{name: http, port: 80}'));
  assert.equal(serviceOf(seen[2]).http?.routes?.actions[0]?.backends[0]?.invalid, undefined);
  // A replica more is no other policy.
  await apply(workloadYaml('n/late-1', 'late') + trafficYaml('n/b', 'name: b', 'timeouts: {total: 1s}'));
  assert.equal(seen.length, 3);
  await storage.httpRoutes.delete('n/r');
  assert.equal('http' in serviceOf(seen[3]), false);
  assert.deepEqual([seen.length, other.length], [4, 1]);
});

test('replicas tell how they are used, wherever a name leads to them', async t => {
  const { apply, watch, interpreter, dtab } = await setUp(t);
  const seen = watch('10.96.0.1:80');
  const tree = () => {
    const { bound } = serviceOf(seen.at(-1));
    return leafOf(bound.state === 'bound' ? bound.tree : undefined);
  };
  assert.equal('client' in tree(), false);
  await apply(trafficYaml('n/b', 'name: b', 'balancer: {kind: roundRobin}'));
  assert.equal('client' in tree(), false);
  dtab.set(parseDtab('/svc => /#/registry; /svc/n/a => /svc/n/b'));
  assert.deepEqual([tree().id, tree().client?.balancer.kind], ['/#/registry/n/b/http', 'roundRobin']);
  const binding = interpreter.bind(dtab, parsePath('/svc/n/b/80')).current;
  assert.equal(
    leafOf(binding.state === 'ok' ? binding.value : undefined).client?.balancer.kind,
    'roundRobin',
  );
  await apply(trafficYaml('n/b', 'name: b', 'balancer: {kind: leastRequest}'));
  assert.equal(tree().client?.balancer.kind, 'leastRequest');
  await apply(trafficYaml('n/b', 'name: b', 'timeouts: {total: 1s}'));
  assert.equal('client' in tree(), false);
});
