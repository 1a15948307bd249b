import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, renderTable } from '../../../../deploy/demo/show/table.ts';

test('columns are as wide as their widest cell, numbers to the right', () => {
  const columns = [
    { title: 'who', cell: ([who]: [string, number]) => who },
    { title: 'n', cell: ([, n]: [string, number]) => String(n), right: true },
  ];
  const text = renderTable(columns, [
    ['addition', 7],
    ['x', 1234],
  ]);
  assert.equal(text, 'who          n\n────────  ────\naddition     7\nx         1234');
});

test('bytes have the unit that reads best', () => {
  assert.deepEqual([0, 999, 1500, 2_340_000, 5e9].map(formatBytes), [
    '0 B',
    '999 B',
    '1.5 KB',
    '2.3 MB',
    '5.0 GB',
  ]);
});
