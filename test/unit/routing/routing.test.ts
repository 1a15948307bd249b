/** Watching: who is woken by what, and what it costs. */

import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { suite, test } from 'node:test';
import type { ClientSettings, ServiceHttp } from '#api';
import {
  grantYaml,
  routeYaml,
  routingWorld,
  serviceYaml,
  trafficYaml,
  workloadYaml,
} from '../../lib/naming/routing-world.ts';

suite('watchers of a service', () => {
  test('are told of its routes and policies, and of nobody else’s', async t => {
    const { routing, apply, storage } = await routingWorld(t, serviceYaml('n/a', '{name: http, port: 80}'));
    const seen: (ServiceHttp | undefined)[] = [];
    t.after(routing.http('n/a', 80).observe(http => seen.push(http)));
    const rule = '{backendRefs: [{name: a, port: 80}]}';
    await apply(serviceYaml('n/b', '{port: 80}') + routeYaml('n/other', 'name: b', rule));
    await apply(trafficYaml('n/other', 'name: b', 'timeouts: {total: 1s}') + workloadYaml('n/a-1', 'a'));
    assert.deepEqual([...seen], [undefined]);
    await apply(routeYaml('n/r', 'name: a', rule));
    assert.equal(seen.at(-1)?.routes?.actions.length, 1);
    await apply(trafficYaml('n/p', 'name: a', 'timeouts: {total: 1s}'));
    assert.equal(seen.at(-1)?.settings.timeouts.totalMs, 1_000);
    // Written again, it says the same.
    await apply(routeYaml('n/r', 'name: a', rule));
    assert.equal(seen.length, 3);
    await storage.httpRoutes.delete('n/r');
    await storage.traffic.delete('n/p');
    assert.equal(seen.at(-1), undefined);
  });

  test('are told when a backend appears, changes its port, and goes', async t => {
    const { routing, apply, storage } = await routingWorld(
      t,
      serviceYaml('n/a', '{name: http, port: 80}') +
        routeYaml('n/r', 'name: a', '{backendRefs: [{name: late, port: 90}]}'),
    );
    const seen: string[] = [];
    const show = (http: ServiceHttp | undefined) =>
      http?.routes?.actions[0]?.backends.map(({ name, invalid = 'good' }) => `${name} ${invalid}`).join() ??
      '';
    t.after(routing.http('n/a', 80).observe(http => seen.push(show(http))));
    await apply(serviceYaml('n/late', '{name: web, port: 90}'));
    await apply(workloadYaml('n/late-1', 'late'));
    await apply(serviceYaml('n/late', '{name: http, port: 90}'));
    await storage.services.delete('n/late');
    assert.deepEqual(seen, [
      '/svc/n/late/90 BackendNotFound',
      '/svc/n/late/web good',
      '/svc/n/late/http good',
      '/svc/n/late/90 BackendNotFound',
    ]);
  });

  test('are told when a grant for its backends appears, changes and goes, and of no other grant', async t => {
    const { routing, apply, storage } = await routingWorld(
      t,
      serviceYaml('n/a', '{name: http, port: 80}') +
        serviceYaml('m/b', '{port: 80}') +
        routeYaml('n/r', 'name: a', '{backendRefs: [{name: b, namespace: m, port: 80}]}'),
    );
    const seen: string[] = [];
    const show = (http: ServiceHttp | undefined) =>
      http?.routes?.actions[0]?.backends.map(({ invalid = 'good' }) => invalid).join() ?? '';
    t.after(routing.http('n/a', 80).observe(http => seen.push(show(http))));
    const from = (namespace: string) => `{kind: HTTPRoute, namespace: ${namespace}}`;
    await apply(grantYaml('other/g', from('n')));
    await apply(grantYaml('m/g', from('x')));
    await apply(grantYaml('m/g', from('n')));
    await apply(grantYaml('m/h', from('n')));
    await storage.grants.delete('m/g');
    await storage.grants.delete('m/h');
    assert.deepEqual(seen, ['RefNotPermitted', 'good', 'RefNotPermitted']);
  });

  test('learn how to use its replicas, where a policy differs from the defaults', async t => {
    const { routing, apply } = await routingWorld(
      t,
      serviceYaml('n/a', '{name: http, port: 80}, {port: 81}'),
    );
    const seen: (ClientSettings | undefined)[] = [];
    t.after(routing.client('n/a', 80).observe(client => seen.push(client)));
    await apply(trafficYaml('n/p', 'name: a, port: 81', 'balancer: {kind: roundRobin}'));
    await apply(trafficYaml('n/q', 'name: a', 'timeouts: {total: 1s}'));
    assert.deepEqual([...seen], [undefined]);
    await apply(trafficYaml('n/q', 'name: a', 'balancer: {kind: roundRobin}'));
    assert.equal(seen.at(-1)?.balancer.kind, 'roundRobin');
    assert.equal(seen.length, 2);
  });

  test('are let go of when it is closed', async t => {
    const { routing, apply, registry } = await routingWorld(t, serviceYaml('n/a', '{name: http, port: 80}'));
    let told = 0;
    const dispose = routing.http('n/a', 80).observe(() => (told += 1));
    routing.close();
    await apply(trafficYaml('n/p', 'name: a', 'timeouts: {total: 1s}'));
    dispose();
    assert.equal(told, 1);
    assert.equal(registry.services().length, 1);
  });
});

test('one of 1,000 routes changes: one of 500 watched services is told, within milliseconds', async t => {
  const rules = (i: number, v: number) =>
    `{matches: [{path: {value: /v${v}}}], backendRefs: [{name: s${i}, port: 80, weight: 9}, {name: s${(i + 1) % 500}, port: 80}]}`;
  const numbers = Array.from({ length: 500 }, (_, i) => i);
  const { routing, apply } = await routingWorld(
    t,
    numbers.map(i => serviceYaml(`n/s${i}`, '{name: http, port: 80}')).join('') +
      numbers.map(i => routeYaml(`n/r${i}`, `name: s${i}`, rules(i, 0))).join('') +
      numbers.map(i => routeYaml(`n/q${i}`, `name: s${i}`, rules(i, 1))).join(''),
  );
  const told = new Map<number, number>();
  for (const i of numbers)
    t.after(routing.http(`n/s${i}`, 80).observe(() => told.set(i, (told.get(i) ?? 0) + 1)));
  assert.ok(numbers.every(i => told.get(i) === 1));
  const took: number[] = [];
  for (let round = 0; round < 20; round++) {
    const text = routeYaml('n/r7', 'name: s7', rules(7, round + 2));
    const began = performance.now();
    await apply(text);
    took.push(performance.now() - began);
  }
  assert.equal(told.get(7), 21);
  assert.equal(
    numbers.reduce((sum, i) => sum + (told.get(i) ?? 0), 0),
    520,
  );
  const median = took.sort((a, b) => a - b)[10] ?? 0;
  t.diagnostic(`${median.toFixed(2)} ms from the document's text to the watcher`);
  // Ten times what it takes on an idle machine: a change must never cost what all routes cost together.
  assert.ok(median < 50, `${median} ms`);
});
