import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { DEFAULT_SERVICE_SETTINGS } from '#api';
import {
  grantYaml,
  routeYaml,
  routingWorld,
  serviceYaml,
  trafficYaml,
} from '../../lib/naming/routing-world.ts';

const PORTS = '{name: http, port: 80}, {name: db, port: 5432, appProtocol: postgresql}, {port: 9000}';

async function world(t: TestContext, text: string) {
  const { routing, apply } = await routingWorld(t, text);
  const http = (key: string, port: number) => routing.http(key, port).current;
  return { http, routing, apply };
}

suite('HTTP is understood', () => {
  test('only where somebody asks for it', async t => {
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        serviceYaml('n/b', PORTS, ', annotations: {nodemesh.io/l7: enabled}') +
        serviceYaml('n/c', PORTS, ', annotations: {nodemesh.io/l7: disabled}') +
        serviceYaml('n/d', PORTS) +
        trafficYaml('n/d', 'name: d, port: http', 'timeouts: {total: 3s}'),
    );
    for (const key of ['n/a', 'n/c', 'n/unknown']) assert.equal(http(key, 80), undefined, key);
    const settings = DEFAULT_SERVICE_SETTINGS;
    assert.deepEqual(http('n/b', 80), { protocol: 'http', consumers: {}, settings });
    assert.deepEqual(http('n/b', 9000), { protocol: 'detect', consumers: {}, settings });
    assert.equal(http('n/b', 5432), undefined);
    assert.equal(http('n/b', 1), undefined);
    assert.equal(http('n/d', 80)?.settings.timeouts.totalMs, 3_000);
    assert.equal(http('n/d', 9000), undefined);
  });

  test('by what a traffic policy says, before what is declared', async t => {
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        trafficYaml('n/all', 'name: a', 'protocol: http') +
        trafficYaml('n/zz', 'name: a, port: 80', 'protocol: opaque'),
    );
    assert.equal(http('n/a', 5432)?.protocol, 'http');
    assert.equal(http('n/a', 9000)?.protocol, 'http');
    // The policy for the port goes before the one for the service, whatever their names.
    assert.equal(http('n/a', 80), undefined);
  });

  test('on a port of which nothing is declared when a route means that port', async t => {
    const rule = '{backendRefs: [{name: a, port: 9000}]}';
    const { http, apply } = await world(t, serviceYaml('n/a', PORTS) + routeYaml('n/r', 'name: a', rule));
    assert.equal(http('n/a', 80)?.protocol, 'http');
    assert.equal(http('n/a', 9000)?.protocol, 'detect');
    assert.equal(http('n/a', 5432), undefined);
    await apply(routeYaml('n/r', 'name: a, port: 9000', rule));
    assert.equal(http('n/a', 9000)?.protocol, 'http');
    assert.equal(http('n/a', 80), undefined);
    await apply(serviceYaml('n/single', '{port: 7}') + routeYaml('n/s', 'name: single', rule));
    assert.equal(http('n/single', 7)?.protocol, 'http');
  });
});

suite('routes', () => {
  test('of one parent are one table: matches in the order of trying, actions by rule, backends by port label', async t => {
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        serviceYaml('n/v2', '{name: web, port: 8080}, {port: 81}') +
        routeYaml(
          'n/z',
          'name: a, port: 80',
          '{name: canary, matches: [{path: {value: /v2}}, {path: {type: Exact, value: /x}}], backendRefs: [{name: v2, port: 8080, weight: 1}, {name: v2, port: 81, weight: 0}, {name: a, port: 80, weight: 99}]}',
        ) +
        routeYaml(
          'n/b',
          'name: a, sectionName: http',
          '{backendRefs: [{name: a, port: 9000}], timeouts: {request: 2s}}',
        ),
    );
    const routes = http('n/a', 80)?.routes;
    assert.deepEqual(routes?.matches, [
      { action: 1, path: { kind: 'exact', value: '/x' }, headers: [], query: [] },
      { action: 1, path: { kind: 'prefix', value: '/v2' }, headers: [], query: [] },
      { action: 0, path: { kind: 'prefix', value: '/' }, headers: [], query: [] },
    ]);
    assert.deepEqual(routes?.actions, [
      {
        id: 'n/b[0]',
        grpc: false,
        filters: [],
        backends: [{ weight: 1, name: '/svc/n/a/9000', filters: [] }],
        requestMs: 2_000,
      },
      {
        id: 'n/z[canary]',
        grpc: false,
        filters: [],
        backends: [
          { weight: 1, name: '/svc/n/v2/web', filters: [] },
          { weight: 0, name: '/svc/n/v2/81', filters: [] },
          { weight: 99, name: '/svc/n/a/http', filters: [] },
        ],
      },
    ]);
    assert.equal(http('n/a', 9000), undefined);
  });

  test('of HTTP and gRPC take part together', async t => {
    const rule = '{backendRefs: [{name: a, port: 80}]}';
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        routeYaml('n/r', 'name: a', rule) +
        routeYaml('n/r', 'name: a', rule, 'GRPCRoute'),
    );
    const routes = http('n/a', 80)?.routes;
    assert.deepEqual(
      routes?.matches.map(({ action }) => routes.actions[action]?.grpc),
      [true, false],
    );
  });

  test('of another namespace are for its own callers only', async t => {
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        routeYaml(
          'caller/r',
          'name: a, namespace: n, port: 80',
          '{backendRefs: [{name: a, namespace: n, port: 80}]}',
        ) +
        routeYaml('other/r', 'name: a, namespace: n, port: 80', '{backendRefs: [{name: own, port: 80}]}'),
    );
    const found = http('n/a', 80);
    assert.equal(found?.routes, undefined);
    assert.deepEqual(Object.keys(found?.consumers ?? {}), ['caller', 'other']);
    assert.deepEqual(found?.consumers['caller']?.actions[0]?.backends, [
      { weight: 1, name: '/svc/n/a/http', filters: [] },
    ]);
    assert.equal(found?.consumers['other']?.actions[0]?.backends[0]?.invalid, 'BackendNotFound');
  });

  test('with references that lead nowhere keep their share, marked', async t => {
    const { http } = await world(
      t,
      serviceYaml('n/a', PORTS) +
        serviceYaml('m/b', '{port: 80}') +
        routeYaml(
          'n/r',
          'name: a, port: 80',
          '{backendRefs: [{name: gone, port: 80}, {name: a, port: 1}, {name: b, namespace: m, port: 80}, {name: a, port: 80}]}',
        ),
    );
    const backends = http('n/a', 80)?.routes?.actions[0]?.backends;
    assert.deepEqual(backends, [
      { weight: 1, name: '/svc/n/gone/80', filters: [], invalid: 'BackendNotFound' },
      { weight: 1, name: '/svc/n/a/1', filters: [], invalid: 'BackendNotFound' },
      { weight: 1, name: '/svc/m/b/80', filters: [], invalid: 'RefNotPermitted' },
      { weight: 1, name: '/svc/n/a/http', filters: [] },
    ]);
  });
});

suite('a backend of another namespace', () => {
  const SERVICES =
    serviceYaml('n/a', PORTS) + serviceYaml('m/b', '{port: 80}') + serviceYaml('m/c', '{port: 80}');
  const RULE = '{backendRefs: [{name: b, namespace: m, port: 80}, {name: c, namespace: m, port: 80}]}';
  /** Which of m/b and m/c get their share. */
  const granted = async (t: TestContext, grants: string, kind = 'HTTPRoute') => {
    const { http } = await world(t, SERVICES + routeYaml('n/r', 'name: a, port: 80', RULE, kind) + grants);
    const backends = http('n/a', 80)?.routes?.actions[0]?.backends ?? [];
    return backends.flatMap(({ name, invalid }) => (invalid === undefined ? name : []));
  };
  const FROM_N = '{kind: HTTPRoute, namespace: n}';
  const service = (name: string) => `{group: '', kind: Service, name: ${name}}`;
  const BOTH = ['/svc/m/b/80', '/svc/m/c/80'];

  test('gets its share where its own namespace grants it', async t => {
    assert.deepEqual(await granted(t, grantYaml('m/g', FROM_N)), BOTH);
    assert.deepEqual(await granted(t, grantYaml('m/g', FROM_N, service('b'))), ['/svc/m/b/80']);
    const grpc = '{kind: GRPCRoute, namespace: n}';
    assert.deepEqual(await granted(t, grantYaml('m/g', grpc), 'GRPCRoute'), BOTH);
  });

  test('any entry of any grant will do', async t => {
    const from = `{kind: HTTPRoute, namespace: other}, {kind: Gateway, namespace: x}, ${FROM_N}`;
    assert.deepEqual(await granted(t, grantYaml('m/g', from, `${service('x')}, ${service('c')}`)), [
      '/svc/m/c/80',
    ]);
    const two = grantYaml('m/g', FROM_N, service('b')) + grantYaml('m/h', FROM_N, service('c'));
    assert.deepEqual(await granted(t, two), BOTH);
  });

  test('gets nothing by a grant of another namespace, for another one, for another kind, or of two halves', async t => {
    const halves =
      grantYaml('m/g', FROM_N, service('x')) + grantYaml('m/h', '{kind: HTTPRoute, namespace: x}');
    for (const grants of [
      grantYaml('n/g', FROM_N),
      grantYaml('m/g', '{kind: HTTPRoute, namespace: other}'),
      grantYaml('m/g', '{kind: GRPCRoute, namespace: n}'),
      grantYaml('m/g', '{kind: Gateway, namespace: n}'),
      grantYaml('m/g', FROM_N, "{group: '', kind: Secret}"),
      grantYaml('m/g', FROM_N, '{group: apps, kind: Service}'),
      halves,
    ])
      assert.deepEqual(await granted(t, grants), [], grants);
    const wrongGroup = grantYaml('m/g', FROM_N).replace('{group: gateway.networking.k8s.io,', "{group: '',");
    assert.deepEqual(await granted(t, wrongGroup), []);
  });
});
