import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BoundTree, Replica } from '#api';
import { compileTree, type Endpoint, EndpointTable } from '../../../../node-proxy/balance/index.ts';
import { assertShare, leaf as leafOf, replica } from '../../../lib/balance/service-rig.ts';
import { seededRandom } from '../../../lib/seeded-random.ts';

const leaf = (id: string, ...replicas: Replica[]): BoundTree => leafOf(id, replicas);

function shares(tree: BoundTree, picks: number, more: { open?: boolean } = {}): Map<string, number> {
  const table = new EndpointTable(() => 0);
  const picker = compileTree(tree, table);
  const random = seededRandom(42);
  const counts = new Map<string, number>();
  for (let i = 0; i < picks; i++) {
    const branch = picker.pick(random);
    const endpoint = 'picker' in branch ? branch.picker.pick([], 0, random) : undefined;
    if (endpoint !== undefined && more.open) endpoint.open += 1;
    const key = endpoint?.replica.address ?? ('none' in branch ? branch.none : 'nothing');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

describe('choosing an endpoint', () => {
  it('splits a union by its weights, nested weights multiplied', () => {
    const counts = shares(
      {
        type: 'union',
        branches: [
          { weight: 99, tree: leaf('v1', replica('10.0.0.1:80')) },
          {
            weight: 1,
            tree: {
              type: 'union',
              branches: [
                { weight: 3, tree: leaf('v2', replica('10.0.0.2:80')) },
                { weight: 1, tree: leaf('v3', replica('10.0.0.3:80')) },
              ],
            },
          },
        ],
      },
      100_000,
    );
    assertShare(counts.get('10.0.0.1:80') ?? 0, 100_000, 0.99);
    assertShare(counts.get('10.0.0.2:80') ?? 0, 100_000, 0.0075);
    assertShare(counts.get('10.0.0.3:80') ?? 0, 100_000, 0.0025);
  });

  it('lets a branch that is bound to nothing keep its share', () => {
    const counts = shares(
      {
        type: 'union',
        branches: [
          { weight: 1, tree: leaf('a', replica('10.0.0.1:80')) },
          { weight: 1, tree: { type: 'empty' } },
        ],
      },
      10_000,
    );
    assertShare(counts.get('no_endpoints') ?? 0, 10_000, 0.5);
  });

  it('never takes a branch of weight 0', () => {
    const counts = shares(
      {
        type: 'union',
        branches: [
          { weight: 0, tree: leaf('a', replica('10.0.0.1:80')) },
          { weight: 1, tree: leaf('b', replica('10.0.0.2:80')) },
        ],
      },
      10_000,
    );
    assert.deepEqual([...counts.keys()], ['10.0.0.2:80']);
  });

  it('says that a negative name is unbound', () => {
    assert.deepEqual([...shares({ type: 'neg' }, 1).keys()], ['unbound']);
  });

  it('evens out open connections between equal endpoints', () => {
    const counts = shares(
      leaf('a', replica('10.0.0.1:80'), replica('10.0.0.2:80'), replica('10.0.0.3:80')),
      9_000,
      { open: true },
    );
    for (const count of counts.values()) assert.ok(Math.abs(count - 3_000) < 60, `${[...counts.values()]}`);
  });

  it('respects replica weights', () => {
    const table = new EndpointTable(() => 0);
    const picker = compileTree(
      leaf('a', replica('10.0.0.1:80', { weight: 9 }), replica('10.0.0.2:80', { weight: 1 })),
      table,
    );
    const random = seededRandom(7);
    let heavy = 0;
    for (let i = 0; i < 10_000; i++) {
      const branch = picker.pick(random);
      const endpoint = 'picker' in branch ? branch.picker.pick([], 0, random) : undefined;
      if (endpoint?.replica.weight === 9) heavy += 1;
      if (endpoint !== undefined) endpoint.open = 0;
    }
    assert.ok(heavy > 8_500, `${heavy}`);
  });
});

describe('endpoints to leave out', () => {
  const pickAll = (endpoints: Replica[], prepare: (list: readonly Endpoint[]) => void, nowMs = 0) => {
    const table = new EndpointTable(() => 0);
    const branch = compileTree(leaf('a', ...endpoints), table).branches[0];
    assert.ok(branch !== undefined && 'picker' in branch);
    prepare(branch.picker.endpoints);
    const random = seededRandom(3);
    return new Set(Array.from({ length: 500 }, () => branch.picker.pick([], nowMs, random)?.replica.address));
  };

  it('skips a terminating endpoint while another is left', () => {
    const seen = pickAll([replica('10.0.0.1:80', { terminating: true }), replica('10.0.0.2:80')], () => {});
    assert.deepEqual(seen, new Set(['10.0.0.2:80']));
  });

  it('uses a terminating endpoint rather than none', () => {
    const seen = pickAll([replica('10.0.0.1:80', { terminating: true })], () => {});
    assert.deepEqual(seen, new Set(['10.0.0.1:80']));
  });

  it('skips an endpoint after five failed connects and tries it again later', () => {
    const fail = (list: readonly Endpoint[]) => {
      for (let i = 0; i < 5; i++) list[0]?.accrual.failed(0);
    };
    const both = [replica('10.0.0.1:80'), replica('10.0.0.2:80')];
    assert.deepEqual(pickAll(both, fail), new Set(['10.0.0.2:80']));
    assert.equal(pickAll(both, fail, 5_001).size, 2);
  });

  it('tries an ejected endpoint when all are ejected', () => {
    const seen = pickAll([replica('10.0.0.1:80'), replica('10.0.0.2:80')], list => {
      for (const { accrual } of list) for (let i = 0; i < 5; i++) accrual.failed(0);
    });
    assert.ok(!seen.has(undefined));
  });

  it('never picks what was already tried for this connection', () => {
    const table = new EndpointTable(() => 0);
    const branch = compileTree(leaf('a', replica('10.0.0.1:80'), replica('10.0.0.2:80')), table).branches[0];
    assert.ok(branch !== undefined && 'picker' in branch);
    const [first, second] = branch.picker.endpoints as [Endpoint, Endpoint];
    const random = seededRandom(1);
    for (let i = 0; i < 100; i++) assert.equal(branch.picker.pick([first], 0, random), second);
    assert.equal(branch.picker.pick([first, second], 0, random), undefined);
  });
});

describe('what is learnt about endpoints', () => {
  it('survives a change of the binding', () => {
    const table = new EndpointTable(() => 0);
    const before = compileTree(leaf('a', replica('10.0.0.1:80')), table);
    const after = compileTree(
      leaf('a', replica('10.0.0.1:80', { hbone: true }), replica('10.0.0.2:80')),
      table,
    );
    before.release(table);
    assert.equal(table.size, 2);
    after.release(table);
    assert.equal(table.size, 0);
  });
});
