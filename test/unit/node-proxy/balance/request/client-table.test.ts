import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BoundTree } from '#api';
import {
  ClientTable,
  EndpointTable,
  hashText,
  type NameClient,
  type ServiceClient,
} from '../../../../../node-proxy/balance/index.ts';
import {
  assertShare,
  leaf,
  replica,
  replicas,
  ServiceRig,
  settings,
} from '../../../../lib/balance/service-rig.ts';
import { seededRandom } from '../../../../lib/seeded-random.ts';

const tableOf = () => {
  const endpoints = new EndpointTable(() => 0);
  return { endpoints, table: new ClientTable(endpoints, { now: () => 0, random: seededRandom(9) }) };
};
const compile = (table: ClientTable, tree: BoundTree) => table.compile({ state: 'bound', tree });
const clientOf = (name: NameClient, at = 0): ServiceClient => {
  const branch = name.branches[at];
  assert.ok(branch !== undefined && 'client' in branch);
  return branch.client;
};

describe('what was learnt', () => {
  it('survives snapshots, for every endpoint that stays', () => {
    const rig = new ServiceRig(replicas(3));
    const [first, second, third] = rig.client.endpoints;
    rig.eject(rig.at(0));
    const before = rig.client.endpoints;
    rig.update([...replicas(2), replica('10.0.0.9:80')]);
    assert.notEqual(rig.client.endpoints, before, 'a snapshot is a new array');
    assert.deepEqual(
      [0, 1].map(i => rig.at(i)),
      [first, second],
    );
    assert.equal(rig.at(0).accrual.state, 'ejected');
    assert.deepEqual(rig.dropped, [third]);
    assert.equal(rig.endpoints.size, 3);
  });

  it('stays with a service whose name is bound to another and back, as long as one refers to it', () => {
    const { table } = tableOf();
    const a = compile(table, leaf('a', replicas(1)));
    const other = compile(table, leaf('a', replicas(1)));
    assert.equal(clientOf(a), clientOf(other));
    table.release(a);
    assert.equal(table.size, 1);
    assert.equal(clientOf(compile(table, leaf('a', replicas(1)))), clientOf(other));
  });

  it('about an endpoint counts per service, though connections are of one endpoint', () => {
    const { endpoints, table } = tableOf();
    const name = compile(table, {
      type: 'union',
      branches: [
        { weight: 1, tree: leaf('a', replicas(1)) },
        { weight: 1, tree: leaf('b', replicas(1)) },
      ],
    });
    const [a, b] = [clientOf(name, 0).endpoints[0], clientOf(name, 1).endpoints[0]];
    assert.notEqual(a, b);
    assert.equal(a?.endpoint, b?.endpoint);
    table.release(name);
    assert.equal(endpoints.size, 0);
    assert.equal(table.size, 0);
  });

  it('is not disturbed by a snapshot that says the same', () => {
    const rig = new ServiceRig(replicas(3));
    const before = rig.client.endpoints;
    rig.update(replicas(3));
    assert.equal(rig.client.endpoints, before);
  });

  it('is let go with the last name', () => {
    const rig = new ServiceRig(replicas(3));
    const all = rig.client.endpoints;
    rig.close();
    assert.deepEqual(rig.dropped, all);
    assert.equal(rig.endpoints.size, 0);
    assert.equal(rig.pick(), undefined);
  });

  it('is no longer changed by requests that end after their endpoint went', () => {
    const rig = new ServiceRig(replicas(2));
    const gone = rig.at(1);
    rig.eject(gone);
    rig.nowMs += 5_000;
    const epoch = gone.begin(rig.nowMs);
    rig.update(replicas(1));
    assert.equal(rig.client.ejected, 0);
    gone.end('success', 1, rig.nowMs, epoch);
    assert.equal(rig.client.ejected, 0);
    assert.equal(gone.pending, 0);
  });
});

describe('a snapshot', () => {
  it('applies new settings to the same service', () => {
    const rig = new ServiceRig(replicas(2), { limits: { requests: 1 } });
    const { client } = rig;
    assert.equal(client.admit(), true);
    assert.equal(client.admit(), false);
    rig.update(replicas(2), { kind: 'roundRobin', limits: { requests: 2 } });
    assert.equal(rig.client, client);
    assert.equal(client.admit(), true);
    assert.equal(client.settings.balancer.kind, 'roundRobin');
    assert.notEqual(rig.pick(), rig.pick());
  });

  it('applies new weights and the word that an endpoint is terminating', () => {
    const rig = new ServiceRig(replicas(2));
    rig.update([replica('10.0.0.1:80', { weight: 9 }), replica('10.0.0.2:80')]);
    assertShare(rig.counts(5_000).get('10.0.0.1:80') ?? 0, 5_000, 0.9);
    rig.update([replica('10.0.0.1:80', { weight: 9, terminating: true }), replica('10.0.0.2:80')]);
    assert.deepEqual([...rig.counts(100).keys()], ['10.0.0.2:80']);
  });

  it('may name an address twice or one that is none', () => {
    const rig = new ServiceRig([...replicas(2), ...replicas(1), replica('nowhere')]);
    assert.equal(rig.client.endpoints.length, 2);
    const before = rig.client.endpoints;
    rig.update([...replicas(2), ...replicas(1), replica('nowhere')]);
    assert.equal(rig.client.endpoints, before);
    rig.close();
    assert.equal(rig.endpoints.size, 0);
  });

  it('gets defaults where the leaf says nothing', () => {
    const { table } = tableOf();
    assert.equal(clientOf(compile(table, leaf('a', replicas(1)))).settings.balancer.kind, 'peakEwma');
  });
});

describe('an endpoint is picked', () => {
  it('terminating rather than not at all, but after everybody else', () => {
    const rig = new ServiceRig([replica('10.0.0.1:80', { terminating: true }), replica('10.0.0.2:80')]);
    assert.equal(rig.pick(), rig.at(1));
    assert.equal(rig.pick([rig.at(1)]), rig.at(0));
    rig.update([replica('10.0.0.1:80', { terminating: true })]);
    assert.equal(rig.pick(), rig.at(0));
  });

  it('again when all were tried: a service may have only one', () => {
    const rig = new ServiceRig(replicas(1), { breaker: { maxEjected: 1 } });
    assert.equal(rig.pick([rig.at(0)]), rig.at(0));
    rig.eject(rig.at(0));
    assert.equal(rig.pick([rig.at(0)]), undefined);
  });
});

describe('limits of a service', () => {
  it('count what is under way, each kind for itself', () => {
    const { client } = new ServiceRig(replicas(1), { limits: { requests: 2, pending: 1, connections: 1 } });
    assert.deepEqual([client.admit(), client.admit(), client.admit()], [true, true, false]);
    assert.deepEqual([client.wait(), client.wait()], [true, false]);
    assert.deepEqual([client.connect(), client.connect()], [true, false]);
    client.leave();
    client.waited();
    client.disconnected();
    assert.deepEqual([client.requests, client.pending, client.connections], [1, 0, 0]);
    assert.deepEqual([client.admit(), client.wait(), client.connect()], [true, true, true]);
  });

  it('of 0 are none', () => {
    const { client } = new ServiceRig(replicas(1), { limits: { requests: 0, pending: 0, connections: 0 } });
    for (let i = 0; i < 5_000; i++) assert.ok(client.admit() && client.wait() && client.connect());
  });
});

describe('a name', () => {
  const canary = (percent: number): BoundTree => ({
    type: 'union',
    branches: [
      { weight: 100 - percent, tree: leaf('v1', replicas(1), settings()) },
      { weight: percent, tree: leaf('v2', [replica('10.0.1.1:80')], settings()) },
    ],
  });

  it('gives 1 % of 10,000 requests exactly', () => {
    const { table } = tableOf();
    const name = compile(table, canary(1));
    let second = 0;
    for (let i = 0; i < 10_000; i++) if (name.next() === name.branches[1]) second += 1;
    assert.ok(Math.abs(second - 100) <= 2, `${second}`);
  });

  it('keeps users where they are while the weight of a canary grows, over snapshots', () => {
    const { table } = tableOf();
    const users = Array.from({ length: 5_000 }, (_, i) => hashText(`session=${i}`));
    let before = new Set<number>();
    let name: NameClient | undefined;
    for (const percent of [1, 10, 50]) {
      const next = compile(table, canary(percent));
      if (name !== undefined) table.release(name);
      name = next;
      const on = new Set(users.filter(user => next.pickByHash(user) === next.branches[1]));
      assertShare(on.size, users.length, percent / 100);
      for (const user of before) assert.ok(on.has(user), `left at ${percent} %`);
      before = on;
    }
  });

  it('multiplies nested weights, and lets a branch that leads nowhere keep its share', () => {
    const { table } = tableOf();
    const name = compile(table, {
      type: 'union',
      branches: [
        { weight: 1, tree: { type: 'empty' } },
        { weight: 3, tree: canary(50) },
        { weight: 0, tree: leaf('never', replicas(1)) },
      ],
    });
    assert.deepEqual(
      name.branches.map(branch => ['client' in branch ? branch.client.id : branch.none, branch.weight]),
      [
        ['no_endpoints', 0.25],
        ['v1', 0.375],
        ['v2', 0.375],
        ['never', 0],
      ],
    );
    for (let i = 0; i < 1_000; i++) assert.notEqual(name.next(), name.branches[3]);
  });

  it('says why it leads nowhere', () => {
    const { table } = tableOf();
    const reason = (tree: BoundTree) => {
      const branch = compile(table, tree).pick(0.5);
      return 'none' in branch ? branch.none : 'client';
    };
    const unbound = (replicas: (BoundTree & { type: 'leaf' })['replicas']): BoundTree => ({
      type: 'leaf',
      id: 'x',
      residual: '/',
      replicas,
    });
    assert.equal(reason({ type: 'neg' }), 'unbound');
    assert.equal(reason({ type: 'fail' }), 'unbound');
    assert.equal(reason({ type: 'empty' }), 'no_endpoints');
    assert.equal(reason({ type: 'union', branches: [] }), 'unbound');
    assert.equal(
      reason({ type: 'union', branches: [{ weight: 0, tree: leaf('a', replicas(1)) }] }),
      'unbound',
    );
    assert.equal(reason(unbound({ state: 'neg' })), 'no_endpoints');
    assert.equal(reason(unbound({ state: 'bound', replicas: [] })), 'no_endpoints');
    assert.equal(reason(unbound({ state: 'failed', message: 'm' })), 'binding_failed');
    const failed = table.compile({ state: 'failed', message: 'why' }).pick(0);
    assert.ok('none' in failed);
    assert.deepEqual([failed.none, failed.message], ['binding_failed', 'why']);
    assert.equal(table.size, 0);
  });
});
