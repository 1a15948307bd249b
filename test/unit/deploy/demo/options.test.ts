import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from '../../../../deploy/demo/options.ts';

test('without arguments: the live table, without end', () => {
  const expected = {
    check: false,
    json: false,
    plain: false,
    only: undefined,
    forSeconds: Number.POSITIVE_INFINITY,
  };
  assert.deepEqual(readOptions([]), expected);
});

test('scenarios are chosen by number', () => {
  assert.deepEqual(readOptions(['--check', '--only', '2,9']).only, new Set([2, 9]));
});

test('nonsense is refused', () => {
  for (const args of [['--only', 'x'], ['--for', '0'], ['--for', 'soon'], ['--unknown'], ['word']])
    assert.throws(() => readOptions(args), TypeError, args.join(' '));
});
