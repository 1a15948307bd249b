/** The line parser of the mesh API against garbage, splits, halves and sizes. Bounded: a second or two. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientLine, LineReader, MAX_LINE_BYTES, MeshApiError, serverLine } from '#api';

/** Feeds `bytes` in pieces cut at these places; what came out, or the refusal. */
function read(
  bytes: Buffer,
  cuts: readonly number[],
  max = 4096,
): { values: unknown[]; error?: MeshApiError; pending: number } {
  const reader = new LineReader(max);
  const values: unknown[] = [];
  const places = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  try {
    for (const to of [...places, bytes.length]) {
      reader.push(bytes.subarray(from, to), value => values.push(value));
      from = to;
    }
  } catch (error) {
    assert.ok(error instanceof MeshApiError, String(error));
    assert.equal(error.code, 'NM_MESH_PROTOCOL');
    return { values, error, pending: reader.pending };
  }
  return { values, pending: reader.pending };
}

const cuts = fc.array(fc.nat(10_000), { maxLength: 20 });

test('lines come out as they were put in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 20 }), cuts, fc.boolean(), (values, cuts, half) => {
      const text = values.map(value => `${JSON.stringify(value)}\n`).join('');
      const bytes = Buffer.from(half ? `${text}{"half` : text);
      const { values: found, pending } = read(bytes, cuts, 1024 * 1024);
      assert.deepEqual(found, JSON.parse(JSON.stringify(values)));
      assert.equal(pending, half ? 6 : 0);
    }),
    { numRuns: 500 },
  );
});

test('garbage is either lines of JSON or a refusal, the same however it is cut', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
    fc
      .constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        '\n',
        '\r\n',
        ',',
        ':',
        'null',
        '1e999',
        '\\u0000',
        '{"id":1,"version":"',
        '\ud800',
      )
      .map(text => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), cuts, (pieces, cuts) => {
      const bytes = Buffer.concat(pieces);
      const whole = read(bytes, []);
      const cut = read(bytes, cuts);
      assert.deepEqual(cut.values, whole.values);
      assert.equal(cut.error?.message, whole.error?.message);
      assert.ok(cut.pending <= 4096);
    }),
    { numRuns: 3000 },
  );
});

test('a line is refused as soon as it is too long, cut or not, and one of the limit is not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 90, max: 110 }), cuts, (length, cuts) => {
      const line = `"${'x'.repeat(length - 2)}"\n`;
      const { error, values } = read(Buffer.from(line), cuts, 100);
      assert.equal(error === undefined, length <= 100);
      assert.equal(values.length, length <= 100 ? 1 : 0);
    }),
  );
  const endless = new LineReader(1000);
  assert.throws(() => {
    for (let i = 0; i < 1001; i++) endless.push(Buffer.from('x'), () => assert.fail());
  }, MeshApiError);
});

test('a line of the greatest size that comes in tiny pieces takes linear time', () => {
  const reader = new LineReader(MAX_LINE_BYTES);
  const piece = Buffer.from('x'.repeat(64));
  let found = 0;
  reader.push(Buffer.from('"'), () => assert.fail());
  for (let bytes = 1; bytes < MAX_LINE_BYTES - 128; bytes += piece.length)
    reader.push(piece, () => assert.fail());
  reader.push(Buffer.from('"\n'), value => {
    found = (value as string).length;
  });
  assert.ok(found > MAX_LINE_BYTES - 256);
});

test('nesting without end is a refusal or a value, never a crash', () => {
  for (const open of ['[', '{"a":']) {
    const deep = Buffer.from(`${open.repeat(200_000)}\n`);
    const { error, values } = read(deep, [], MAX_LINE_BYTES);
    assert.ok(error !== undefined || values.length === 1);
  }
  const closed = Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}\n`);
  const { values } = read(closed, [], MAX_LINE_BYTES);
  for (const value of values) assert.throws(() => clientLine(value), MeshApiError);
});

test('any JSON value is a line of the protocol or refused', () => {
  const near = fc.record(
    {
      op: fc.constantFrom('watch', 'unwatch', 'report', 'beat', 'later'),
      id: fc.oneof(fc.nat(), fc.double(), fc.jsonValue()),
      kind: fc.constantFrom('name', 'address', 'node', 'trust', 'x', '__proto__'),
      key: fc.oneof(fc.string(), fc.jsonValue()),
      version: fc.oneof(fc.string(), fc.jsonValue()),
      enrolled: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
      seq: fc.oneof(fc.nat(), fc.jsonValue()),
      error: fc.jsonValue(),
      state: fc.jsonValue(),
      reported: fc.oneof(fc.nat(), fc.jsonValue()),
      beat: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), value => {
      for (const shape of [clientLine, serverLine])
        try {
          shape(value);
        } catch (error) {
          assert.ok(error instanceof MeshApiError, String(error));
        }
    }),
    { numRuns: 5000 },
  );
});
