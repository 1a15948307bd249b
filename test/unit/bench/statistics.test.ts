import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { percentile, ratios, spread } from '../../../bench/measure/statistics.ts';

test('spread: the middle of an odd number, the mean of the two middles of an even number', () => {
  assert.deepEqual(spread([3, 1, 10]), { median: 3, min: 1, max: 10 });
  assert.deepEqual(spread([4, 1, 2, 10]), { median: 3, min: 1, max: 10 });
});

test('percentile: nearest rank', () => {
  const thousand = Float64Array.from({ length: 1000 }, (_, i) => i + 1);
  assert.equal(percentile(thousand, 0.5), 500);
  assert.equal(percentile(thousand, 0.99), 990);
  assert.equal(percentile(thousand, 0.999), 999);
  assert.equal(percentile(thousand, 1), 1000);
  assert.equal(percentile([7], 0.5), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('percentile: at least the share is not above it, and it is one of the values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const sorted = Float64Array.from(values).sort();
        const value = percentile(sorted, share);
        assert.ok(sorted.includes(value));
        assert.ok(sorted.filter(other => other <= value).length >= share * sorted.length - 1e-9);
      },
    ),
  );
});

test('ratios pair round with round', () => {
  assert.deepEqual(ratios([1, 6], [2, 3]), [0.5, 2]);
});
