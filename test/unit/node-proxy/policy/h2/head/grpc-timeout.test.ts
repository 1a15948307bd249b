import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { coarseMs, grpcTimeoutMs } from '../../../../../../node-proxy/policy/h2/head/grpc-timeout.ts';

test('each unit, in milliseconds, rounded up', () => {
  const cases: [string | undefined, number][] = [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['400m', 400],
    ['1500u', 2],
    ['1u', 1],
    ['1n', 1],
    ['0m', 1],
    ['99999999n', 100],
    [undefined, 0],
  ];
  for (const [text, ms] of cases) assert.equal(grpcTimeoutMs(text), ms, String(text));
});

test('what is none, and what is longer than any timer, is no deadline', () => {
  for (const text of ['', 'm', '5', '-1S', '1.5S', '1s', ' 1S', '1S ', '123456789m', '99999999H', 'xS'])
    assert.equal(grpcTimeoutMs(text), 0, JSON.stringify(text));
});

test('any text is read without an error, and is a number of milliseconds or nothing', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), text => {
      const ms = grpcTimeoutMs(text);
      assert.ok(Number.isInteger(ms) && ms >= 0 && ms <= 0x7fffffff);
    }),
  );
});

test('coarse lengths are never shorter, hardly longer, and few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0x7fffffff }), ms => {
      const coarse = coarseMs(ms);
      assert.ok(coarse >= ms && coarse <= ms * (33 / 32) + 1, `${ms} became ${coarse}`);
      assert.equal(coarseMs(coarse), coarse);
    }),
  );
  const lengths = new Set<number>();
  for (let ms = 1; ms <= 60_000; ms++) lengths.add(coarseMs(ms));
  assert.ok(lengths.size < 450, `${lengths.size}`);
});
