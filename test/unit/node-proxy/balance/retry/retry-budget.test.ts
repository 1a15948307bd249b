import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { backoffMs, RetryBudget } from '../../../../../node-proxy/balance/index.ts';
import { seededRandom } from '../../../../lib/seeded-random.ts';

class Clock {
  ms = 12_345;
  readonly now = () => this.ms;
}

const drain = (budget: RetryBudget): number => {
  let taken = 0;
  while (budget.withdraw()) taken += 1;
  return taken;
};

describe('a retry budget', () => {
  it('gives a fifth of the requests and the reserve of ten per second over ten seconds', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 }, new Clock().now);
    assert.equal(budget.balance, 100);
    for (let i = 0; i < 1_000; i++) budget.deposit();
    assert.equal(budget.balance, 300);
    assert.equal(drain(budget), 300);
    assert.equal(budget.balance, 0);
  });

  it('makes five deposits of 0.2 one retry, and ten of 0.1', () => {
    for (const [ratio, deposits] of [
      [0.2, 5],
      [0.1, 10],
      [0.01, 100],
    ] as const) {
      const budget = new RetryBudget({ ratio, minPerSecond: 0, ttlMs: 10_000 }, new Clock().now);
      for (let i = 0; i < deposits - 1; i++) budget.deposit();
      assert.equal(budget.withdraw(), false);
      budget.deposit();
      assert.equal(budget.withdraw(), true);
      assert.equal(budget.withdraw(), false);
    }
  });

  it('forgets deposits after the ttl', () => {
    const clock = new Clock();
    const budget = new RetryBudget({ ratio: 1, minPerSecond: 0, ttlMs: 10_000 }, clock.now);
    for (let i = 0; i < 50; i++) budget.deposit();
    clock.ms += 8_999;
    assert.equal(budget.balance, 50);
    clock.ms += 1_001;
    assert.equal(budget.balance, 0);
  });

  it('gives the reserve back after the ttl', () => {
    const clock = new Clock();
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 10, ttlMs: 10_000 }, clock.now);
    assert.equal(drain(budget), 100);
    clock.ms += 5_000;
    assert.equal(drain(budget), 0);
    clock.ms += 5_000;
    assert.equal(drain(budget), 100);
  });

  it('allows nothing when nothing is set', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0, ttlMs: 10_000 }, new Clock().now);
    for (let i = 0; i < 100; i++) budget.deposit();
    assert.equal(budget.withdraw(), false);
  });

  it('caps retries of a service that always fails near the share', () => {
    const clock = new Clock();
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 }, clock.now);
    let retries = 0;
    // 1,000 requests per second for a minute.
    for (let i = 0; i < 60_000; i++) {
      clock.ms += 1;
      budget.deposit();
      if (budget.withdraw()) retries += 1;
    }
    assert.ok(retries > 12_000 && retries <= 12_000 + 10 * 60 + 100, `${retries}`);
  });

  it('never allows more than the bound in any window of the ttl', () => {
    const act = fc.record({ requests: fc.nat(20), passMs: fc.nat(700) });
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 60 }),
        fc.nat(5),
        fc.constantFrom(0, 0.1, 0.25, 1, 2),
        (acts, min, ratio) => {
          const clock = new Clock();
          const ttlMs = 2_000;
          const budget = new RetryBudget({ ratio, minPerSecond: min, ttlMs }, clock.now);
          const requests: number[] = [];
          const retries: number[] = [];
          for (const { requests: count, passMs } of acts) {
            clock.ms += passMs;
            for (let i = 0; i < count; i++) {
              budget.deposit();
              requests.push(clock.ms);
            }
            for (let i = drain(budget); i > 0; i--) retries.push(clock.ms);
            // Deposits may be older than the window by the ttl: a retry spends what came before it.
            const made = retries.filter(ms => ms > clock.ms - ttlMs * 0.9).length;
            const asked = requests.filter(ms => ms > clock.ms - ttlMs * 1.9).length;
            assert.ok(made <= ratio * asked + (min * ttlMs) / 1_000 + 1e-9, `${made} for ${asked}`);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never has less than nothing, and recovers from any gap of the clock', () => {
    const clock = new Clock();
    const budget = new RetryBudget({ ratio: 1, minPerSecond: 1, ttlMs: 1_000 }, clock.now);
    for (let i = 0; i < 10; i++) budget.deposit();
    clock.ms += 500;
    assert.equal(drain(budget), 11);
    clock.ms += 500;
    assert.equal(budget.balance, 0);
    clock.ms -= 5_000;
    assert.equal(budget.balance, 0);
    clock.ms += 1_000_000;
    assert.equal(budget.balance, 1);
  });
});

describe('the backoff between attempts', () => {
  it('is nothing for 0 and 0, and constant where both ends are equal', () => {
    assert.equal(backoffMs({ minMs: 0, maxMs: 0 }, 0, Math.random), 0);
    assert.equal(backoffMs({ minMs: 50, maxMs: 50 }, 50, Math.random), 50);
  });

  it('stays between the ends, and below three times the wait before', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(10_000), fc.nat(), (minMs, more, seed) => {
        const random = seededRandom(seed);
        const bounds = { minMs, maxMs: minMs + more };
        let previous = 0;
        for (let i = 0; i < 20; i++) {
          const next = backoffMs(bounds, previous, random);
          assert.ok(next >= minMs && next <= bounds.maxMs, `${next}`);
          assert.ok(next <= Math.max(previous, minMs, 1) * 3, `${next} after ${previous}`);
          previous = next;
        }
      }),
    );
  });

  it('grows from a least wait of nothing', () => {
    const waits = [0];
    for (let i = 0; i < 10; i++)
      waits.push(backoffMs({ minMs: 0, maxMs: 1_000 }, waits.at(-1) ?? 0, () => 0.9));
    assert.ok((waits.at(-1) ?? 0) > 500, `${waits}`);
  });
});
