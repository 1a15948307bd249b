import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, type FrameSink } from '../../../node-proxy/http2/frame/reader.ts';
import { H2Code } from '../../../node-proxy/http2/index.ts';
import {
  data,
  FLAG,
  frame,
  goaway,
  headers,
  hello,
  numbers,
  PREFACE,
  ping,
  reset,
  settings,
  settingsAck,
  TYPE,
  windowUpdate,
} from '../../lib/http2-frames.ts';

/** Writes down what it gets, DATA pieces joined. */
class Notes implements FrameSink {
  readonly lines: string[] = [];
  #data = '';

  dataBegins(streamId: number, length: number, flags: number): void {
    this.#data = `data ${streamId} ${length} ${flags} `;
  }

  data(buffer: Buffer, start: number, end: number): void {
    this.#data += buffer.toString('hex', start, end);
  }

  dataEnds(): void {
    this.lines.push(this.#data);
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer, start: number, end: number): void {
    this.lines.push(`${type} ${flags} ${streamId} ${payload.toString('hex', start, end)}`);
  }
}

const LIMITS = { maxFrameSize: 20_000, maxHeaderBytes: 10_000 };

function read(pieces: readonly Buffer[], expectPreface = true): string[] {
  const notes = new Notes();
  const reader = new FrameReader(notes, LIMITS, expectPreface);
  for (const piece of pieces) reader.read(piece);
  return notes.lines;
}

const STREAM = Buffer.concat([
  hello({ 4: 70_000 }),
  settingsAck(),
  headers(1, [[':method', 'CONNECT']]),
  data(1, 'hello'),
  data(1, ''),
  frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\x03abc\0\0\0')),
  frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\x00abc')),
  frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\x02\0\0')),
  frame(TYPE.HEADERS, 0, 3, Buffer.from('82', 'hex')),
  frame(TYPE.CONTINUATION, 0, 3),
  frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 3, Buffer.from('84', 'hex')),
  frame(TYPE.PRIORITY, 0, 5, numbers(0, 1)),
  frame(0xbe, 0xff, 7, Buffer.from('whatever')),
  frame(TYPE.GOAWAY, 0, 0, Buffer.concat([numbers(1, 2), Buffer.alloc(2000, 'd')])),
  ping(),
  windowUpdate(0, 5),
  reset(1, 8),
  data(1, 'last', FLAG.END_STREAM),
]);

test('frames come out the same however the bytes are cut', () => {
  const whole = read([STREAM]);
  assert.equal(whole.length, 18);
  assert.equal(whole[5], `data 1 7 8 ${Buffer.from('abc').toString('hex')}`);
  assert.equal(whole[7], 'data 1 3 8 ');
  assert.equal(whole[12], '190 255 7 ');
  assert.deepEqual(read([...STREAM].map(byte => Buffer.from([byte]))), whole);
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 30 }), cuts => {
      const at = [0, ...cuts, STREAM.length].sort((a, b) => a - b);
      const pieces = at.slice(1).map((end, i) => STREAM.subarray(at[i], end));
      assert.deepEqual(read(pieces), whole);
    }),
  );
});

test('the input of one frame is not kept while it is copied: a caller may reuse its buffer', () => {
  const shared = Buffer.alloc(3);
  const notes = new Notes();
  const reader = new FrameReader(notes, LIMITS, true);
  for (let at = 0; at < STREAM.length; at += 3) {
    const bytes = STREAM.copy(shared, 0, at, at + 3);
    reader.read(shared.subarray(0, bytes));
  }
  assert.deepEqual(notes.lines, read([STREAM]));
});

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM } = H2Code;
const WRONG: Record<string, [bytes: Buffer, code: number]> = {
  'DATA on stream 0': [data(0, 'x'), PROTOCOL_ERROR],
  'HEADERS on stream 0': [headers(0, []), PROTOCOL_ERROR],
  'RST_STREAM on stream 0': [reset(0, 1), PROTOCOL_ERROR],
  'PRIORITY on stream 0': [frame(TYPE.PRIORITY, 0, 0, Buffer.alloc(5)), PROTOCOL_ERROR],
  'SETTINGS on a stream': [frame(TYPE.SETTINGS, 0, 1), PROTOCOL_ERROR],
  'PING on a stream': [frame(TYPE.PING, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR],
  'GOAWAY on a stream': [frame(TYPE.GOAWAY, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR],
  PUSH_PROMISE: [frame(TYPE.PUSH_PROMISE, 4, 1, numbers(2)), PROTOCOL_ERROR],
  'RST_STREAM of 5 bytes': [frame(TYPE.RST_STREAM, 0, 1, Buffer.alloc(5)), FRAME_SIZE_ERROR],
  'WINDOW_UPDATE of 3 bytes': [frame(TYPE.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)), FRAME_SIZE_ERROR],
  'SETTINGS of 7 bytes': [frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(7)), FRAME_SIZE_ERROR],
  'a SETTINGS acknowledgement with payload': [frame(TYPE.SETTINGS, 1, 0, Buffer.alloc(6)), FRAME_SIZE_ERROR],
  'more settings than there are': [frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(600)), ENHANCE_YOUR_CALM],
  'PING of 9 bytes': [frame(TYPE.PING, 0, 0, Buffer.alloc(9)), FRAME_SIZE_ERROR],
  'GOAWAY of 7 bytes': [frame(TYPE.GOAWAY, 0, 0, Buffer.alloc(7)), FRAME_SIZE_ERROR],
  'a frame above the announced size': [data(1, Buffer.alloc(20_001)), FRAME_SIZE_ERROR],
  'an unknown frame above the announced size': [frame(99, 0, 1, Buffer.alloc(20_001)), FRAME_SIZE_ERROR],
  'padded DATA without its length': [frame(TYPE.DATA, FLAG.PADDED, 1), FRAME_SIZE_ERROR],
  'padding longer than the frame': [frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\x04abc')), PROTOCOL_ERROR],
  'CONTINUATION out of nothing': [frame(TYPE.CONTINUATION, 4, 1), PROTOCOL_ERROR],
  'CONTINUATION of another stream': [
    Buffer.concat([headers(1, [], 0), frame(TYPE.CONTINUATION, 4, 3)]),
    PROTOCOL_ERROR,
  ],
  'a header block interrupted by DATA': [Buffer.concat([headers(1, [], 0), data(1, 'x')]), PROTOCOL_ERROR],
  'a header block interrupted by an unknown frame': [
    Buffer.concat([headers(1, [], 0), frame(99, 0, 1)]),
    PROTOCOL_ERROR,
  ],
  'a header block that is too long': [frame(TYPE.HEADERS, 4, 1, Buffer.alloc(10_001)), ENHANCE_YOUR_CALM],
};

for (const [what, [bytes, h2Code]] of Object.entries(WRONG)) {
  test(`refuses ${what}, from the frame header on`, () => {
    assert.throws(() => read([settings(), bytes], false), { h2Code });
    assert.throws(() => read([settings(), ...[...bytes].map(byte => Buffer.from([byte]))], false), {
      h2Code,
    });
  });
}

test('the first frame has to be SETTINGS', () => {
  assert.throws(() => read([ping()], false), { h2Code: PROTOCOL_ERROR });
  assert.throws(() => read([settingsAck()], false), { h2Code: PROTOCOL_ERROR });
  assert.throws(() => read([PREFACE, goaway(0, 0)]), { h2Code: PROTOCOL_ERROR });
});

test('a wrong preface is refused at its first wrong byte', () => {
  assert.throws(() => read([Buffer.from('GET / HTTP/1.1')]), { h2Code: PROTOCOL_ERROR });
  assert.throws(() => read([Buffer.from('PR'), Buffer.from('J')]), { h2Code: PROTOCOL_ERROR });
  assert.deepEqual(read([Buffer.from('PRI * HTTP')]), []);
});

test('nothing is passed on after stop', () => {
  const notes = new Notes();
  const reader = new FrameReader(notes, LIMITS, false);
  const { dataBegins } = notes;
  notes.dataBegins = (...values) => {
    dataBegins.apply(notes, values);
    reader.stop();
  };
  reader.read(Buffer.concat([settings(), ping(), data(1, 'x'), ping(), ping()]));
  reader.read(ping());
  assert.equal(notes.lines.filter(line => line.startsWith('6 ')).length, 1);
});
