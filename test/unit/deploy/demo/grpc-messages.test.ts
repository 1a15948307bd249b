import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeNumbers,
  decodeResult,
  encodeNumbers,
  encodeResult,
} from '../../../../deploy/demo/calculator/grpc/messages.ts';

test('numbers are encoded as protobuf encodes them', () => {
  assert.equal(encodeNumbers({ op1: 150, op2: 0 }).toString('hex'), '089601');
  assert.equal(encodeNumbers({ op1: 10, op2: 3 }).toString('hex'), '080a1003');
  assert.equal(encodeResult(-1).toString('hex'), '08ffffffffffffffffff01');
});

test('what was encoded is decoded again', () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(int32, int32, (op1, op2) => {
      assert.deepEqual(decodeNumbers(encodeNumbers({ op1, op2 })), { op1, op2 });
      assert.equal(decodeResult(encodeResult(op1)), op1);
    }),
  );
});

test('garbage is refused, and ends', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      try {
        decodeNumbers(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});
