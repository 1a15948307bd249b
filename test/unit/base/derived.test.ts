import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Derived } from '#base/derived.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import { Cell } from '#base/watch.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

suite('derived', () => {
  test('follows what it reads, and lets go of what it no longer reads', () => {
    const [which, a, b] = [new Cell('a'), new Cell(1), new Cell(10)];
    const value = new Derived(use =>
      use('which', () => which) === 'a' ? use('a', () => a) : use('b', () => b),
    );
    const seen: number[] = [];
    const dispose = value.observe(each => seen.push(each));
    b.set(11);
    a.set(2);
    which.set('b');
    assert.deepEqual([a.observers, b.observers], [0, 1]);
    b.set(12);
    assert.deepEqual(seen, [1, 2, 11, 12]);
    dispose();
    dispose();
    assert.deepEqual([which.observers, b.observers], [0, 0]);
  });

  test('unobserved it subscribes to nothing and is still right', () => {
    const a = new Cell(1);
    const value = new Derived(use => use('a', () => a) * 2);
    a.set(4);
    assert.equal(value.current, 8);
    assert.equal(a.observers, 0);
  });

  test('many observers cost one computation per change', () => {
    const a = new Cell(1);
    let runs = 0;
    const value = new Derived(use => {
      runs += 1;
      return use('a', () => a);
    });
    const disposes = Array.from({ length: 500 }, () => value.observe(() => {}));
    a.set(2);
    assert.equal(runs, 2);
    for (const dispose of disposes) dispose();
    assert.equal(a.observers, 0);
  });

  test('equal values are not told again', () => {
    const a = new Cell(1);
    const value = new Derived(
      use => ({ odd: use('a', () => a) % 2 }),
      (x, y) => x.odd === y.odd,
    );
    let told = 0;
    const dispose = value.observe(() => told++);
    a.set(3);
    assert.equal(told, 1);
    a.set(4);
    assert.equal(told, 2);
    dispose();
  });

  test('a source that changes while it is being read is read again', () => {
    const a = new Cell(0);
    const value = new Derived(use => {
      const now = use('a', () => a);
      if (now < 3) a.set(now + 1);
      return now;
    });
    const seen: number[] = [];
    value.observe(each => seen.push(each))();
    assert.deepEqual(seen, [3]);
  });

  test('a computation that throws leaves no subscription behind', () => {
    const a = new Cell(0);
    const value = new Derived<number>(use => {
      use('a', () => a);
      throw new Error('no');
    });
    assert.throws(() => value.observe(() => {}), /no/);
    assert.equal(a.observers, 0);
  });
});

suite('shared watches', () => {
  function shared(maxIdle = 10) {
    const clock = new FakeClock();
    const cells = new Map<string, Cell<number>>();
    const start = (key: string) => {
      const cell = new Cell(0);
      cells.set(key, cell);
      return cell;
    };
    return { clock, cells, watches: new SharedWatches<number>({ start, clock, lingerMs: 1_000, maxIdle }) };
  }

  test('observers of a key share one watch, which lingers after the last has left', () => {
    const { clock, cells, watches } = shared();
    const first = watches.get('a').observe(() => {});
    const seen: number[] = [];
    const second = watches.get('a').observe(value => seen.push(value));
    cells.get('a')?.set(1);
    assert.deepEqual(seen, [0, 1]);
    assert.deepEqual(watches.observed(), ['a']);
    first();
    second();
    second();
    assert.deepEqual([watches.size, watches.observed().length], [1, 0]);
    clock.advance(999);
    const third = watches.get('a').observe(value => seen.push(value));
    assert.deepEqual(seen, [0, 1, 1]);
    clock.advance(5_000);
    assert.equal(watches.size, 1);
    third();
    clock.advance(1_000);
    assert.equal(watches.size, 0);
    assert.equal(cells.get('a')?.observers, 0);
    assert.equal(clock.timers, 0);
  });

  test('of the unobserved only so many stay, the longest unobserved goes first', () => {
    const { watches, cells, clock } = shared(2);
    for (const key of ['a', 'b', 'c']) watches.get(key).observe(() => {})();
    assert.deepEqual(
      [...cells].map(([, cell]) => cell.observers),
      [0, 1, 1],
    );
    watches.close();
    assert.deepEqual([watches.size, clock.timers], [0, 0]);
  });
});
