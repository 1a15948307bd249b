import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameOf, readFrame } from '../../../../deploy/demo/calculator/websocket.ts';

test('the masked frame of RFC 6455 §5.7 is read', () => {
  const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
  assert.deepEqual(readFrame(hello), { opcode: 1, payload: Buffer.from('Hello'), end: 11 });
  for (let cut = 0; cut < hello.length; cut++) assert.equal(readFrame(hello.subarray(0, cut)), undefined);
});

test('frames are whole, unmasked, and know the length of two bytes', () => {
  assert.equal(frameOf(1, Buffer.from('Hello')).toString('hex'), '810548656c6c6f');
  assert.equal(frameOf(2, Buffer.alloc(256)).subarray(0, 4).toString('hex'), '827e0100');
  assert.throws(() => frameOf(2, Buffer.alloc(70_000)), RangeError);
});
