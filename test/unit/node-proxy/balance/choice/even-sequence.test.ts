import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvenSequence, WeightedShares } from '../../../../../node-proxy/balance/index.ts';
import { seededRandom } from '../../../../lib/seeded-random.ts';

const below = (sequence: EvenSequence, share: number, of: number): number => {
  let count = 0;
  for (let i = 0; i < of; i++) if (sequence.next() < share) count += 1;
  return count;
};

describe('an even sequence', () => {
  it('stays in [0, 1)', () => {
    const sequence = new EvenSequence(seededRandom(1));
    for (let i = 0; i < 10_000; i++) {
      const u = sequence.next();
      assert.ok(u >= 0 && u < 1, `${u}`);
    }
  });

  it('makes 1 % of 10,000 be 100 ± 2, wherever it starts', () => {
    for (let seed = 0; seed < 100; seed++) {
      const count = below(new EvenSequence(seededRandom(seed)), 0.01, 10_000);
      assert.ok(Math.abs(count - 100) <= 2, `${count} from seed ${seed}`);
    }
  });

  it('makes 0.01 % of 100,000 be 10 ± 2', () => {
    for (let seed = 0; seed < 20; seed++) {
      const count = below(new EvenSequence(seededRandom(seed)), 0.0001, 100_000);
      assert.ok(Math.abs(count - 10) <= 2, `${count} from seed ${seed}`);
    }
  });

  it('is within 8 of every share of 10,000', () => {
    for (let seed = 0; seed < 50; seed++) {
      const share = (seed + 0.5) / 50;
      const count = below(new EvenSequence(seededRandom(seed)), share, 10_000);
      assert.ok(Math.abs(count - share * 10_000) <= 8, `${count} is not ${share}`);
    }
  });

  // 2 to 89 are the denominators at which the golden ratio's own sequence moves slowest; 32 is the block.
  for (const period of [2, 3, 8, 13, 16, 32, 34, 55, 64, 89]) {
    it(`gives each of ${period} kinds of requests in rotation its share, without long runs`, () => {
      const sequence = new EvenSequence(seededRandom(period));
      const counts = new Array<number>(period).fill(0);
      const runs = new Array<number>(period).fill(0);
      let longest = 0;
      for (let i = 0; i < 200 * period; i++) {
        const kind = i % period;
        if (sequence.next() < 0.5) {
          counts[kind] = (counts[kind] as number) + 1;
          runs[kind] = (runs[kind] as number) + 1;
          longest = Math.max(longest, runs[kind] as number);
        } else runs[kind] = 0;
      }
      // Five deviations of a coin thrown 200 times, and runs as a coin has them.
      for (const count of counts) assert.ok(Math.abs(count - 100) <= 35, `${counts}`);
      assert.ok(longest <= 24, `${longest} in a row`);
    });
  }

  it('is independent of another one that is asked for the same requests', () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = seededRandom(seed * 7_919 + 3);
      const route = new EvenSequence(random);
      const name = new EvenSequence(random);
      let both = 0;
      for (let i = 0; i < 500_000; i++) {
        const first = route.next() < 0.01;
        const second = name.next() < 0.01;
        if (first && second) both += 1;
      }
      assert.ok(Math.abs(both - 50) <= 35, `${both} is not 1 % of 1 %`);
    }
  });
});

describe('shares in an even order', () => {
  it('are exact for every way', () => {
    const shares = new WeightedShares([90, 9, 1, 0], [], seededRandom(5));
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) {
      const way = shares.next();
      counts[way] = (counts[way] as number) + 1;
    }
    assert.ok(Math.abs((counts[0] as number) - 9_000) <= 5, `${counts}`);
    assert.ok(Math.abs((counts[1] as number) - 900) <= 5, `${counts}`);
    assert.ok(Math.abs((counts[2] as number) - 100) <= 2, `${counts}`);
    assert.equal(counts[3], 0);
  });
});
