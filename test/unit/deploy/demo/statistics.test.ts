import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binomialBounds } from '../../../../deploy/demo/scenarios/statistics.ts';

test('bounds of a fair coin are those of the exact distribution', () => {
  // P(X ≤ 1) of 20 throws is 2.0e-5, P(X ≤ 2) is 2.0e-4.
  assert.deepEqual(binomialBounds(20, 0.5, 2e-4), [2, 18]);
});

test('one percent of 3,000 leaves room for chance, but not for half or double', () => {
  const [low, high] = binomialBounds(3000, 0.01);
  assert.ok(low > 5 && low < 15, `${low}`);
  assert.ok(high > 50 && high < 70, `${high}`);
});

test('sizes where (1 - p)^n is below the smallest number still have bounds', () => {
  const [low, high] = binomialBounds(100_000, 0.5);
  assert.ok(low > 49_000 && low < 49_500 && high === 100_000 - low, `${low}…${high}`);
});

test('certainties have no room at all', () => {
  assert.deepEqual(binomialBounds(100, 1), [100, 100]);
  assert.deepEqual(binomialBounds(100, 0), [0, 0]);
});
