import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diffLines, unifiedDiff } from '../../../namerd/ctl/text/line-diff.ts';

const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 });

test('a diff leads from one text to the other', () => {
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const diff = diffLines(a, b);
      const side = (sign: '-' | '+') => diff.filter(line => line.sign !== sign).map(({ text }) => text);
      assert.deepEqual(side('+'), a);
      assert.deepEqual(side('-'), b);
    }),
  );
});

test('a diff is as short as it can be', () => {
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const changed = diffLines(a, b).filter(({ sign }) => sign !== ' ').length;
      assert.equal(changed, a.length + b.length - 2 * longestCommon(a, b));
    }),
  );
});

/** By the textbook table. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (const [j, y] of b.entries())
      next.push(x === y ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    row = next;
  }
  return row.at(-1) ?? 0;
}

test('equal texts have no diff, others are shown with some lines around', () => {
  assert.equal(unifiedDiff('a\nb\n', 'a\nb\n', 'x', 'y'), undefined);
  const numbers = Array.from({ length: 20 }, (_, i) => String(i));
  const changed = numbers.with(9, 'nine');
  assert.equal(
    unifiedDiff(numbers.join('\n'), changed.join('\n'), 'x', 'y'),
    '--- x\n+++ y\n@@ -7,7 +7,7 @@\n 6\n 7\n 8\n-9\n+nine\n 10\n 11\n 12',
  );
  assert.equal(unifiedDiff('', 'a\n', 'x', 'y'), '--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a');
});

test('texts that have nothing in common are replaced whole, quickly', () => {
  const a = Array.from({ length: 5_000 }, (_, i) => `a${i}`);
  const b = a.map(line => `b${line}`);
  assert.equal(diffLines(a, b).length, 10_000);
});
