import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from '../../../bench/options.ts';

test('defaults: five rounds of everything', () => {
  const { rounds, only, workers, quick, profile } = readOptions([], 'l7');
  assert.deepEqual(
    { rounds, workers, quick, profile },
    { rounds: 5, workers: 1, quick: false, profile: false },
  );
  assert.deepEqual([...only], ['http', 'post', 'grpc', 'paced', 'paced-grpc']);
  assert.ok(readOptions([], 'l4').only.has('cni'));
});

test('a quick run has two rounds, unless told otherwise', () => {
  assert.equal(readOptions(['--quick'], 'l7').rounds, 2);
  assert.equal(readOptions(['--quick', '--rounds', '7'], 'l7').rounds, 7);
});

test('each bench knows its own kinds', () => {
  assert.deepEqual([...readOptions(['--only', 'grpc,paced'], 'l7').only], ['grpc', 'paced']);
  assert.throws(
    () => readOptions(['--only', 'bulk'], 'l7'),
    /'bulk' is none of http, post, grpc, paced, paced-grpc/,
  );
  assert.throws(() => readOptions(['--only', 'grpc'], 'l4'), /'grpc' is none of/);
});

test('a profile is for l7, numbers are numbers', () => {
  assert.equal(readOptions(['--profile'], 'l7').profile, true);
  assert.throws(() => readOptions(['--profile'], 'l4'), /--profile is for l7/);
  for (const rounds of ['0', '1.5', 'many', '1001'])
    assert.throws(() => readOptions(['--rounds', rounds], 'l7'), /--rounds needs a number/);
});
