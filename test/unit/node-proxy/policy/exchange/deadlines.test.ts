import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Deadline, Deadlines } from '../../../../../node-proxy/policy/exchange/deadlines.ts';
import { FakeClock } from '../../../../lib/fake-clock.ts';

const on = (late: () => void) => new Deadline({ late }, 'timeout_total');

describe('deadlines', () => {
  it('expire in time and once, whatever is set, set anew and cancelled', () => {
    const action = fc.record({
      who: fc.integer({ min: 0, max: 9 }),
      what: fc.constantFrom('set', 'set', 'cancel', 'pass'),
      ms: fc.constantFrom(1, 10, 10, 25, 100),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), actions => {
        const clock = new FakeClock();
        const deadlines = new Deadlines(clock);
        const due = new Map<number, number>();
        const rang: [number, number][] = [];
        const all = Array.from({ length: 10 }, (_, i) => on(() => rang.push([i, clock.monotonic()])));
        const expectedRings: [number, number][] = [];
        const pass = (ms: number) => {
          const end = clock.monotonic() + ms;
          for (const [who, at] of [...due]) {
            if (at > end) continue;
            expectedRings.push([who, at]);
            due.delete(who);
          }
          clock.advance(ms);
        };
        for (const { who, what, ms } of actions) {
          const deadline = all[who] as Deadline;
          if (what === 'pass') pass(ms);
          else if (what === 'cancel') {
            deadline.cancel();
            due.delete(who);
          } else {
            deadlines.set(deadline, ms, clock.monotonic());
            due.set(who, clock.monotonic() + ms);
          }
          assert.equal(deadline.set, due.has(who));
        }
        pass(1_000);
        // One timer per length rings for its first: another of that length rings at most at the next millisecond.
        const sorted = (list: [number, number][]) =>
          list.map(([who, at]) => `${who} ${at}`).sort((a, b) => (a < b ? -1 : 1));
        assert.deepEqual(sorted(rang), sorted(expectedRings));
        assert.equal(deadlines.size, 0);
        assert.equal(clock.timers, 0);
      }),
    );
  });

  it('that set another while they ring do not delay those behind them', () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    const rang: string[] = [];
    const again = on(() => {
      rang.push(`again ${clock.monotonic()}`);
      if (rang.length === 1) deadlines.set(again, 1_000, clock.monotonic());
    });
    const other = on(() => rang.push(`other ${clock.monotonic()}`));
    deadlines.set(again, 1_000, 0);
    clock.advance(900);
    deadlines.set(other, 1_000, 900);
    clock.advance(5_000);
    assert.deepEqual(rang, ['again 1000', 'other 1900', 'again 2000']);
  });

  it('may cancel one another while they ring', () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    const second = on(() => assert.fail('it was cancelled'));
    const first = on(() => second.cancel());
    deadlines.set(first, 10, 0);
    deadlines.set(second, 10, 0);
    clock.advance(100);
    assert.equal(deadlines.size, 0);
  });

  it('of one length share a timer that is not touched when they are cancelled', () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    const deadline = on(() => assert.fail('it was cancelled'));
    for (let i = 0; i < 1_000; i++) {
      deadlines.set(deadline, 10_000, clock.monotonic());
      deadline.cancel();
      clock.advance(1);
    }
    assert.equal(clock.timers, 1);
    clock.advance(20_000);
    assert.equal(clock.timers, 0);
  });

  it('of any lengths that requests ask for leave nothing behind when they are cancelled', () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    for (let i = 0; i < 100_000; i++) {
      const deadline = on(() => {});
      deadlines.set(deadline, 1e9 + i, clock.monotonic());
      deadline.cancel();
    }
    assert.ok(deadlines.size <= 64, `${deadlines.size} lists`);
    assert.ok(clock.timers <= 64);
  });
});
