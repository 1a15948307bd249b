import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BoundTree, DEFAULT_SERVICE_SETTINGS, type RouteTable, type ServiceHttp } from '#api';
import { ClientTable, EndpointTable } from '../../../../../node-proxy/balance/index.ts';
import { RequestCounters } from '../../../../../node-proxy/observe/requests/request-counters.ts';
import type { ServiceTarget } from '../../../../../node-proxy/policy/outbound/service.ts';
import { Services } from '../../../../../node-proxy/policy/outbound/services.ts';
import { FakeClock } from '../../../../lib/fake-clock.ts';
import { action, match, table } from '../../../../lib/policy/routes.ts';

function leaf(...addresses: string[]): BoundTree {
  const replicas = addresses.map(address => ({
    address,
    workload: 'shop/web-0',
    node: '',
    identity: '',
    hbone: false,
    zone: '',
    weight: 1,
    terminating: false,
  }));
  return {
    type: 'leaf',
    id: '/#/registry/shop/web/http',
    residual: '',
    replicas: { state: 'bound', replicas },
  };
}

function target(routes: RouteTable | undefined, ...addresses: string[]): ServiceTarget {
  const http: ServiceHttp = {
    protocol: 'http',
    consumers: {},
    settings: structuredClone(DEFAULT_SERVICE_SETTINGS),
    ...(routes === undefined ? {} : { routes: structuredClone(routes) }),
  };
  const bound = { state: 'bound' as const, tree: leaf(...addresses) };
  return { service: 'shop/web', name: '/svc/shop/web/http', bound, http };
}

function services() {
  const requests = new RequestCounters();
  const clock = new FakeClock();
  const now = () => clock.monotonic();
  const endpoints = new EndpointTable(now);
  const clients = new ClientTable(endpoints, { now });
  const problems: string[] = [];
  const all = new Services({
    clients,
    requests,
    now,
    random: Math.random,
    problem: (about, message) => problems.push(`${about}: ${message}`),
  });
  return { all, clients, clock, problems, requests };
}

const ROUTES: RouteTable = {
  ...table([match({}), match({ method: 'PUT' })]),
  actions: [
    action({
      id: 'r[0]',
      backends: [
        { name: '/svc/a', weight: 97, filters: [] },
        { name: '/svc/b', weight: 3, filters: [] },
      ],
    }),
    action({ id: 'r[1]' }),
  ],
};

describe('services', () => {
  it('are one for all connections, and kept for a while when nobody uses them', () => {
    const { all, clients, clock } = services();
    const first = all.acquire(target(undefined, '10.0.0.1:80'));
    const second = all.acquire(target(undefined, '10.0.0.1:80'));
    assert.equal(first, second);
    all.release(first);
    clock.advance(600_000);
    all.sweep();
    assert.equal(all.size, 1);
    all.release(second);
    clock.advance(599_999);
    all.sweep();
    assert.equal(all.size, 1);
    assert.equal(clients.size, 1);
    clock.advance(1);
    all.sweep();
    assert.equal(all.size, 0);
    assert.equal(clients.size, 0);
  });

  it('go on counting where the same is said again, or only something else changes', () => {
    const { all } = services();
    const service = all.acquire(target(ROUTES, '10.0.0.1:80'));
    const shares = () => [...(service.routesFor('')?.shares.values() ?? [])];
    const [canary, rest] = shares();
    const own = service.own;
    const matcher = service.routesFor('')?.matcher;
    const { budget } = service;
    service.update(target(ROUTES, '10.0.0.1:80'));
    assert.equal(service.routesFor('')?.matcher, matcher);
    assert.equal(service.own, own);
    service.update(target(ROUTES, '10.0.0.2:80'));
    assert.equal(service.routesFor('')?.matcher, matcher);
    assert.notEqual(service.own, own);
    // One rule changes: the other one's order goes on.
    const actions = [
      ...ROUTES.actions.slice(0, 1),
      action({ id: 'r[1]', backends: [{ name: '/svc/c', weight: 1, filters: [] }] }),
    ];
    service.update(target({ ...ROUTES, actions }, '10.0.0.2:80'));
    assert.equal(shares()[0], canary);
    assert.notEqual(shares()[1], rest);
    assert.equal(service.budget, budget);
  });

  it('are not compiled to and fro where several addresses are in use', () => {
    const { all, clients } = services();
    const [old4, old6] = [target(ROUTES, '10.0.0.1:80'), target(ROUTES, '10.0.0.1:80')];
    const service = all.acquire(old4);
    all.acquire(old6);
    const [new4, new6] = [target(ROUTES, '10.0.0.2:80'), target(ROUTES, '10.0.0.2:80')];
    service.update(new4);
    const { own } = service;
    // The other address has not heard yet, then it has.
    for (const each of [old6, new4, old6, new6, new4, new6, old4]) service.update(each);
    assert.equal(service.own, own);
    assert.deepEqual(
      [...clients.values()].flatMap(client => client.endpoints.map(({ endpoint }) => endpoint.ip)),
      ['10.0.0.2'],
    );
  });

  it('follow endpoints also when nobody asks for HTTP any more', () => {
    const { all, clients } = services();
    const service = all.acquire(target(ROUTES, '10.0.0.1:80'));
    const { http: _, ...plain } = target(ROUTES, '10.0.0.2:80');
    service.update(plain);
    assert.equal(service.routesFor(''), undefined);
    assert.deepEqual(
      [...clients.values()].flatMap(client => client.endpoints.map(({ endpoint }) => endpoint.ip)),
      ['10.0.0.2'],
    );
  });

  it('say what of their tables can’t be used', () => {
    const { all, problems } = services();
    all.acquire(target(table([match({ path: { kind: 'regex', value: '(' } })]), '10.0.0.1:80'));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /^\/svc\/shop\/web\/http: /);
  });

  it('are ejected no more when nobody knows them', () => {
    const { all, clients, clock, requests } = services();
    const service = all.acquire(target(undefined, '10.0.0.1:80', '10.0.0.2:80'));
    const [client] = [...clients.values()];
    const [endpoint] = client?.endpoints ?? [];
    for (let i = 0; i < 5; i++) endpoint?.end('failure', 1, 0, endpoint.begin(0));
    all.sweep();
    const counters = requests.service(client?.id ?? '');
    assert.deepEqual([counters.ejected, counters.ejections], [1, 1]);
    all.release(service);
    clock.advance(600_000);
    all.sweep();
    all.sweep();
    assert.equal(clients.size, 0);
    assert.deepEqual([counters.ejected, counters.ejections], [0, 1]);
    assert.equal(service.counters.budget, 0);
  });

  it('have the budgets of all their ports together', () => {
    const { all } = services();
    const one = all.acquire(target(undefined, '10.0.0.1:80'));
    all.sweep();
    const { budget } = one.counters;
    assert.ok(budget > 0);
    all.acquire({ ...target(undefined, '10.0.0.1:81'), name: '/svc/shop/web/admin' });
    all.sweep();
    assert.equal(one.counters.budget, 2 * budget);
  });
});
