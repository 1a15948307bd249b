/** What people are told of routes and policies that do not do what they say. */

import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { ObjectStatuses } from '../../../namerd/policies/index.ts';
import { readResources } from '../../../namerd/resources/index.ts';
import {
  grantYaml,
  routeYaml,
  routingWorld,
  serviceYaml,
  trafficYaml,
  workloadYaml,
} from '../../lib/naming/routing-world.ts';

const PORTS = '{name: http, port: 80}, {name: db, port: 5432, appProtocol: postgresql}';
const TO_A = '{backendRefs: [{name: a, port: 80}]}';

async function world(t: TestContext, text: string) {
  const { apply, storage, registry } = await routingWorld(t, text);
  const statuses = new ObjectStatuses({
    storage,
    registry,
    meshNamespace: 'nodemesh-system',
    clock: systemClock,
  });
  const all = () =>
    statuses
      .all()
      .map(({ kind, key, state, messages }) => `${kind} ${key} ${state}: ${messages.join(' | ')}`);
  return { all, apply, statuses, storage };
}

suite('routes', () => {
  test('that are good have nothing to be said', async t => {
    const { all } = await world(t, serviceYaml('n/a', PORTS) + routeYaml('n/r', 'name: a', TO_A));
    assert.deepEqual(all(), []);
  });

  test('whose parents are not there are not in force, until they are', async t => {
    const { all, apply } = await world(t, routeYaml('n/r', 'name: gone', TO_A) + serviceYaml('n/a', PORTS));
    assert.deepEqual(all(), ['HTTPRoute n/r error: the parent n/gone: there is no such Service']);
    await apply(routeYaml('n/r', 'name: a, port: 81', TO_A));
    assert.deepEqual(all(), ['HTTPRoute n/r error: the parent n/a has no port 81']);
    await apply(
      routeYaml('n/r', 'name: a, sectionName: web', TO_A, 'GRPCRoute') + routeYaml('n/r', 'name: a', TO_A),
    );
    assert.deepEqual(all(), ['GRPCRoute n/r error: the parent n/a has no port web']);
    await apply(serviceYaml('n/a', `${PORTS}, {name: web, port: 81}`));
    assert.deepEqual(all(), []);
  });

  test('on ports that do not speak HTTP', async t => {
    const { all, apply } = await world(
      t,
      serviceYaml('n/a', PORTS) + routeYaml('n/r', 'name: a, port: 5432', TO_A),
    );
    assert.deepEqual(all(), [
      'HTTPRoute n/r warning: the parent n/a: port db does not speak HTTP by what is declared, so no route has effect there',
    ]);
    await apply(trafficYaml('n/p', 'name: a, port: db', 'protocol: http'));
    assert.deepEqual(all(), []);
  });

  test('whose backends lead nowhere, once for each', async t => {
    const refs =
      '{name: gone, port: 80}, {name: a, port: 1}, {name: b, namespace: m, port: 80}, {name: a, port: 5432}, {name: a, port: 80}';
    const { all } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        serviceYaml('m/b', '{port: 80}') +
        routeYaml('n/r', 'name: a', `{name: x, backendRefs: [${refs}]}`),
    );
    const [only, ...more] = all();
    assert.deepEqual(more, []);
    assert.deepEqual(only?.split(' | '), [
      'HTTPRoute n/r warning: rule x: backend n/gone port 80: BackendNotFound: there is no such Service; its share is answered with 500',
      'rule x: backend n/a port 1: BackendNotFound: the Service has no such port; its share is answered with 500',
      'rule x: backend m/b port 80: RefNotPermitted: no ReferenceGrant in the namespace m lets HTTPRoutes of n refer to it; its share is answered with 500',
      'rule x: backend n/a port 5432: it does not speak HTTP by what is declared',
    ]);
  });

  test('with the match of another one: the loser is told who wins', async t => {
    const rule = (more = '') =>
      `{name: x, matches: [{path: {value: /v2}${more}}], backendRefs: [{name: a, port: 80}]}`;
    const { all, apply } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        routeYaml('n/r', 'name: a', rule()) +
        routeYaml('n/q', 'name: a, port: 80', rule()),
    );
    assert.deepEqual(all(), ['HTTPRoute n/r warning: rule x: n/q[x] has the same match and goes before']);
    await apply(routeYaml('n/q', 'name: a', rule(', headers: [{name: h, value: v}]')));
    assert.deepEqual(all(), []);
    // Callers of another namespace follow their own routes.
    const foreign = '{matches: [{path: {value: /v2}}], backendRefs: [{name: a, namespace: n, port: 80}]}';
    await apply(routeYaml('caller/r', 'name: a, namespace: n', foreign));
    assert.deepEqual(all(), []);
    await apply(routeYaml('caller/q', 'name: a, namespace: n', foreign));
    assert.deepEqual(all(), [
      'HTTPRoute caller/r warning: rule 0: caller/q[0] has the same match and goes before',
    ]);
  });

  test('whose weights are all 0', async t => {
    const { all } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        routeYaml('n/r', 'name: a', '{backendRefs: [{name: a, port: 80, weight: 0}]}'),
    );
    assert.match(all().join(), /HTTPRoute n\/r warning: .*all weights are 0/);
  });
});

suite('grants', () => {
  const FOREIGN = '{name: x, backendRefs: [{name: b, namespace: m, port: 80}]}';
  const FROM_N = '{kind: HTTPRoute, namespace: n}';

  test('settle what routes of other namespaces refer to, and their removal takes it back', async t => {
    const { all, apply, storage } = await world(
      t,
      serviceYaml('n/a', PORTS) + serviceYaml('m/b', '{port: 80}') + routeYaml('n/r', 'name: a', FOREIGN),
    );
    const refused = [
      'HTTPRoute n/r warning: rule x: backend m/b port 80: RefNotPermitted: no ReferenceGrant in the namespace m lets HTTPRoutes of n refer to it; its share is answered with 500',
    ];
    assert.deepEqual(all(), refused);
    await apply(grantYaml('m/g', FROM_N));
    assert.deepEqual(all(), []);
    await storage.grants.delete('m/g');
    assert.deepEqual(all(), refused);
    await apply(grantYaml('m/g', FROM_N) + routeYaml('n/r', 'name: a', FOREIGN.replace('80', '81')));
    assert.match(all().join(), /BackendNotFound: the Service has no such port/);
  });

  test('for what is not there or not ours are pointed out, and foreseen', async t => {
    const { all, statuses } = await world(
      t,
      serviceYaml('m/b', '{port: 80}') +
        grantYaml('m/all', FROM_N) +
        grantYaml('m/g', FROM_N, "{group: '', kind: Service, name: b}, {group: '', kind: Service, name: c}"),
    );
    assert.deepEqual(all(), ['ReferenceGrant m/g warning: there is no Service m/c']);
    const { resources } = readResources(
      grantYaml('m/h', '{kind: Gateway, namespace: n}', "{group: '', kind: Secret}"),
      'test.yaml',
    );
    assert.deepEqual(
      resources.flatMap(each => statuses.foresee(each)).flatMap(({ messages }) => messages),
      [
        'spec.from[0]: gateway.networking.k8s.io/Gateway has no effect here: references come from HTTPRoute and GRPCRoute (group gateway.networking.k8s.io)',
        "spec.to[0]: Secret has no effect here: references lead to Services (group: '')",
      ],
    );
  });
});

suite('traffic policies', () => {
  test('of one port: the first by name holds, the other one is not in force', async t => {
    const { all, apply } = await world(
      t,
      serviceYaml('n/a', '{name: http, port: 80}, {name: http-x, port: 81}') +
        trafficYaml('n/p', 'name: a') +
        trafficYaml('n/q', 'name: a'),
    );
    assert.deepEqual(all(), [
      'TrafficPolicy n/q error: not in force for port http: n/p comes first by name | not in force for port http-x: n/p comes first by name',
    ]);
    // One that names its port goes before, and that is no accident.
    await apply(trafficYaml('n/q', 'name: a, port: 81'));
    assert.deepEqual(all(), []);
    await apply(trafficYaml('n/r', 'name: a, port: http-x'));
    assert.deepEqual(all(), [
      'TrafficPolicy n/r error: not in force for port http-x: n/q comes first by name',
    ]);
  });

  test('of services and ports that are not there, or that do not speak HTTP', async t => {
    const { all } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        trafficYaml('n/p1', 'name: gone') +
        trafficYaml('n/p2', 'name: a, port: web') +
        trafficYaml('n/p3', 'name: a, port: db') +
        trafficYaml('n/p4', 'name: a'),
    );
    assert.deepEqual(all(), [
      'TrafficPolicy n/p1 error: not in force: there is no Service n/gone',
      'TrafficPolicy n/p2 error: not in force: the Service n/a has no port web',
      'TrafficPolicy n/p3 warning: port db does not speak HTTP by what is declared, so the policy has no effect; to say otherwise, write protocol: http',
    ]);
  });
});

test('conditions on requests are pointed out where no requests come', async t => {
  const policy = (to: string) => `---
apiVersion: nodemesh.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: p, namespace: n}
spec: {selector: {matchLabels: {app: a}}, action: ALLOW, rules: [{to: [${to}]}]}
`;
  const { all, apply } = await world(
    t,
    serviceYaml('n/a', PORTS) + workloadYaml('n/a-1', 'a') + policy('{methods: [GET]}'),
  );
  assert.deepEqual(all(), []);
  await apply(policy('{methods: [GET], ports: [5432]}'));
  assert.match(
    all().join(),
    /^AuthorizationPolicy n\/p warning: conditions on requests, but port 5432 does not/,
  );
  await apply(policy('{ports: [5432]}'));
  assert.deepEqual(all(), []);
  await apply(serviceYaml('n/a', '{name: db, port: 5432, appProtocol: mysql}') + policy('{paths: [/x]}'));
  assert.match(all().join(), /but port 5432 does not speak HTTP/);
});

test('all of it can be foreseen, before anything is stored', async t => {
  const { all, statuses } = await world(
    t,
    serviceYaml('n/a', PORTS) + routeYaml('n/b', 'name: a', TO_A) + trafficYaml('n/b', 'name: a'),
  );
  const foresee = (text: string) => {
    const { resources } = readResources(text, 'test.yaml');
    return resources.flatMap(resource => statuses.foresee(resource)).flatMap(({ messages }) => messages);
  };
  assert.deepEqual(foresee(routeYaml('n/c', 'name: a', TO_A)), [
    'rule 0: n/b[0] has the same match and goes before',
  ]);
  assert.deepEqual(foresee(routeYaml('n/b', 'name: gone', TO_A, 'GRPCRoute')), [
    'the parent n/gone: there is no such Service',
  ]);
  assert.deepEqual(foresee(trafficYaml('n/c', 'name: a, port: 1')), [
    'not in force: the Service n/a has no port 1',
  ]);
  assert.deepEqual(foresee(serviceYaml('n/c', '{port: 80}')), []);
  assert.deepEqual(all(), []);
});
