import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wirePair } from '../../../../../node-proxy/policy/wire/pair.ts';
import type { Wire, WireEvents } from '../../../../../node-proxy/policy/wire/wire.ts';

/** Writes down what it hears. */
class Listener implements WireEvents {
  readonly heard: string[] = [];
  bytes = 0;
  data: (chunk: Buffer) => void = () => {};

  onData(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (chunk.length < 100) this.heard.push(chunk.toString());
    this.data(chunk);
  }
  onEnd(): void {
    this.heard.push('end');
  }
  onDrain(): void {
    this.heard.push('drain');
  }
  onClosed(clean: boolean): void {
    this.heard.push(clean ? 'closed' : 'broken');
  }
}

function started(): { a: Wire; b: Wire; atA: Listener; atB: Listener } {
  const [a, b] = wirePair();
  const [atA, atB] = [new Listener(), new Listener()];
  a.start(atA);
  b.start(atB);
  return { a, b, atA, atB };
}

const turn = () => new Promise(resolve => setImmediate(resolve));
const LARGE = Buffer.alloc(40 * 1024, 'x');

describe('a pair of wires', () => {
  it('carries bytes both ways, in a later turn', async () => {
    const { a, b, atA, atB } = started();
    a.write(Buffer.from('one'));
    a.writeText('tw\xf6');
    b.write(Buffer.from('three'));
    assert.deepEqual([atA.heard, atB.heard], [[], []]);
    await turn();
    assert.deepEqual(atA.heard, ['three']);
    assert.deepEqual(atB.heard, ['one', 'tw\ufffd']);
  });

  it('keeps what is written before the other end is listened to', async () => {
    const [a, b] = wirePair();
    a.write(Buffer.from('early'));
    a.end();
    await turn();
    const atB = new Listener();
    b.start(atB);
    await turn();
    assert.deepEqual(atB.heard, ['early', 'end']);
  });

  it('ends each half by itself, and is closed when both have ended', async () => {
    const { a, b, atA, atB } = started();
    a.write(Buffer.from('last'));
    a.end();
    a.end();
    await turn();
    assert.deepEqual(atB.heard, ['last', 'end']);
    assert.equal(a.flushed, true);
    b.write(Buffer.from('answer'));
    b.end();
    await turn();
    assert.deepEqual(atA.heard, ['answer', 'end', 'closed']);
    assert.deepEqual(atB.heard, ['last', 'end', 'closed']);
    b.reset();
    await turn();
    assert.equal(atA.heard.length, 3);
  });

  it('stops a writer that is faster, and lets it go on once', async () => {
    const { a, b, atA, atB } = started();
    b.pause();
    assert.equal(a.write(LARGE), true);
    assert.equal(a.write(LARGE), false);
    a.end();
    await turn();
    assert.equal(atB.bytes, 0);
    assert.equal(a.flushed, false);
    b.resume();
    await turn();
    assert.equal(atB.bytes, 2 * LARGE.length);
    assert.deepEqual(atA.heard, ['drain']);
    assert.deepEqual(atB.heard, ['end']);
    assert.equal(a.flushed, true);
  });

  it('stops delivering when it is paused in the middle', async () => {
    const { a, b, atB } = started();
    atB.data = () => b.pause();
    a.write(Buffer.from('1'));
    a.write(Buffer.from('2'));
    a.end();
    await turn();
    assert.deepEqual(atB.heard, ['1']);
    b.resume();
    await turn();
    assert.deepEqual(atB.heard, ['1', '2', 'end']);
  });

  it('breaks at both ends, and nothing comes afterwards', async () => {
    const { a, b, atA, atB } = started();
    a.write(Buffer.from('lost'));
    a.reset();
    await turn();
    assert.deepEqual([atA.heard, atB.heard], [['broken'], ['broken']]);
    assert.equal(b.write(Buffer.from('x')), true);
    b.end();
    b.reset();
    await turn();
    assert.deepEqual([atA.heard, atB.heard], [['broken'], ['broken']]);
    assert.equal(a.flushed, true);
  });

  it('breaks from within a delivery', async () => {
    const { a, b, atA, atB } = started();
    atB.data = () => b.reset();
    a.write(Buffer.from('1'));
    a.write(Buffer.from('2'));
    await turn();
    assert.deepEqual(atB.heard, ['1', 'broken']);
    assert.deepEqual(atA.heard, ['broken']);
  });
});
