import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { workloadHttp } from '../../../namerd/routing/index.ts';
import { routingWorld, serviceYaml, trafficYaml, workloadYaml } from '../../lib/naming/routing-world.ts';

const NOTHING_SET = { forwardClientIdentity: false, concurrentRequests: 0 };

async function world(t: TestContext, text: string) {
  const { routing, registry, apply } = await routingWorld(t, text);
  const http = (key: string, asked = false) => {
    const workload = registry.workload(key)?.workload;
    assert.ok(workload);
    const { asking, ports } = routing.namespace(workload.namespace);
    return workloadHttp(workload, asked, asking.current, () => ports.current);
  };
  return { http, apply, routing };
}

suite('the node of a workload understands HTTP', () => {
  test('when a policy, an annotation of it or of its service, or settings for servers ask for it', async t => {
    const { http, apply } = await world(
      t,
      workloadYaml('n/plain-1', 'plain') +
        workloadYaml('n/asking-1', 'plain', ', annotations: {nodemesh.io/l7: enabled}') +
        workloadYaml('n/noted-1', 'noted') +
        workloadYaml('n/set-1', 'set') +
        workloadYaml('m/set-1', 'set') +
        serviceYaml('n/noted', '{port: 80}', ', annotations: {nodemesh.io/l7: enabled}') +
        serviceYaml('n/set', '{port: 80}') +
        trafficYaml('n/set', 'name: set', 'timeouts: {total: 3s}'),
    );
    assert.equal(http('n/plain-1'), undefined);
    assert.deepEqual(http('n/plain-1', true), { ports: {}, ...NOTHING_SET });
    assert.deepEqual(http('n/asking-1'), { ports: {}, ...NOTHING_SET });
    assert.deepEqual(http('n/noted-1'), { ports: {}, ...NOTHING_SET });
    // Settings of clients are for clients.
    assert.equal(http('n/set-1'), undefined);
    const server = 'server: {forwardClientIdentity: true, concurrentRequests: 7}';
    await apply(trafficYaml('n/set', 'name: set', server));
    assert.deepEqual(http('n/set-1'), { ports: {}, forwardClientIdentity: true, concurrentRequests: 7 });
    assert.equal(http('m/set-1'), undefined);
    await apply(trafficYaml('n/set', 'name: set', `protocol: opaque, ${server}`));
    assert.equal(http('n/set-1'), undefined);
  });

  test('with the ports that its services declare, as the workload numbers them', async t => {
    const ports =
      '{name: http, port: 80, targetPort: web}, {name: db, port: 81, targetPort: 5432, appProtocol: mysql}, {port: 82}, {name: http-gone, port: 83, targetPort: gone}';
    const { http, apply } = await world(t, workloadYaml('n/a-1', 'a') + serviceYaml('n/a', ports));
    assert.deepEqual(http('n/a-1', true)?.ports, { 5432: 'opaque', 8081: 'http' });
    // A policy's word holds; services that contradict each other say nothing.
    await apply(trafficYaml('n/a', 'name: a, port: 82', 'protocol: http'));
    assert.deepEqual(http('n/a-1', true)?.ports, { 82: 'http', 5432: 'opaque', 8081: 'http' });
    const other = serviceYaml('n/b', '{name: http, port: 80, targetPort: 5432}').replace('app: b', 'app: a');
    await apply(other);
    assert.deepEqual(http('n/a-1', true)?.ports, { 82: 'http', 8081: 'http' });
  });

  test('with the lowest limit of all its services', async t => {
    const twin = serviceYaml('n/b', '{port: 81}').replace('app: b', 'app: a');
    const { http } = await world(
      t,
      workloadYaml('n/a-1', 'a') +
        serviceYaml('n/a', '{port: 80}') +
        twin +
        trafficYaml('n/a', 'name: a', 'server: {concurrentRequests: 9}') +
        trafficYaml('n/b', 'name: b', 'server: {concurrentRequests: 5, forwardClientIdentity: true}'),
    );
    assert.deepEqual(http('n/a-1'), { ports: {}, forwardClientIdentity: true, concurrentRequests: 5 });
  });
});

test('what is asked of a namespace changes only with its own services and policies', async t => {
  const { routing, apply } = await world(t, serviceYaml('n/a', '{port: 80}'));
  let told = 0;
  t.after(routing.namespace('n').asking.observe(() => (told += 1)));
  assert.equal(routing.namespace('n'), routing.namespace('n'));
  await apply(workloadYaml('n/a-1', 'a') + serviceYaml('n/b', '{port: 80}'));
  await apply(trafficYaml('m/a', 'name: a', 'server: {concurrentRequests: 9}'));
  await apply(trafficYaml('n/a', 'name: a', 'timeouts: {total: 1s}'));
  assert.equal(told, 1);
  await apply(trafficYaml('n/a', 'name: a', 'server: {concurrentRequests: 9}'));
  assert.equal(told, 2);
});
