/**
 * Broken conversations against both roles: a valid one is generated, then frames are dropped, doubled,
 * moved, cut and their bits flipped, and the bytes arrive in random pieces. Nothing may be thrown, memory stays
 * bounded, and the user's events keep their order. A failure names its seed.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  H2Connection,
  H2Error,
  type H2Stream,
  type Header,
  type StreamEvents,
} from '../../node-proxy/http2/index.ts';
import {
  data,
  FLAG,
  frame,
  goaway,
  headers,
  hello,
  numbers,
  ping,
  reset,
  settings,
  settingsAck,
  TYPE,
  windowUpdate,
} from '../lib/http2-frames.ts';
import { CONNECT, Wire } from '../lib/http2-pair.ts';

const RUNS = 1500;
const SEND_BYTES = 100_000;
/** What the queues may hold, one chunk more, and what is not yet flushed. */
const BUFFER_BOUND = SEND_BYTES + 30_000 + 262_144 + 65_536;
/** Requests of our client before any response comes. */
const OPENED_AT_ONCE = 3;

/** mulberry32: small, and the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Follows one stream's events and fails when their order is impossible. */
class Watcher implements StreamEvents {
  stream: H2Stream | undefined;
  #over = false;
  #ended = false;
  #wrote: boolean;
  readonly #next: (below: number) => number;

  /** @param wrote this direction has ended already. */
  constructor(next: (below: number) => number, wrote: boolean) {
    this.#next = next;
    this.#wrote = wrote;
  }

  onHeaders(): void {
    this.#live('onHeaders');
    this.#react();
  }

  onData(chunk: Buffer): void {
    this.#live('onData');
    assert.ok(chunk.length > 0);
    if (this.#next(4) > 0) this.stream?.consumed(chunk.length);
    this.#react();
  }

  onEnd(): void {
    this.#live('onEnd');
    this.#ended = true;
    this.#react();
  }

  onReset(): void {
    assert.equal(this.#over, false, 'onReset twice');
    this.#over = true;
  }

  onDrain(): void {
    assert.equal(this.#over, false, 'onDrain after onReset');
  }

  /** The user does this and that, from within events too. */
  #react(): void {
    const { stream } = this;
    if (stream === undefined || this.#over || this.#wrote) return;
    const choice = this.#next(12);
    if (choice < 6) stream.write(Buffer.alloc(this.#next(30_000)));
    else if (choice === 6) {
      this.#wrote = true;
      stream.end();
    } else if (choice === 7) stream.reset(8);
  }

  #live(event: string): void {
    assert.equal(this.#over, false, `${event} after onReset`);
    assert.equal(this.#ended, false, `${event} after onEnd`);
  }
}

type Next = (below: number) => number;

function conversation(next: Next, toServer: boolean): Buffer[] {
  const frames = toServer
    ? [hello({ 4: 1 + next(100_000) }), settingsAck()]
    : [settings({ 4: 1 + next(100_000) })];
  const first: readonly Header[] = toServer ? CONNECT : [[':status', '200']];
  let opened = 0;
  for (let i = 0; i < 25; i++) {
    // Mostly streams that are there: a frame on an idle one ends everything.
    const fresh = toServer && (opened === 0 || next(5) === 0);
    if (fresh) opened += 1;
    const id = toServer ? (fresh ? opened : 1 + next(opened)) * 2 - 1 : 1 + 2 * next(OPENED_AT_ONCE);
    if (fresh) {
      frames.push(headers(id, first));
      continue;
    }
    const make: (() => Buffer)[] = [
      () => headers(id, first),
      () => headers(id, first, FLAG.END_HEADERS | FLAG.END_STREAM),
      () =>
        Buffer.concat([
          headers(id, first, 0),
          frame(TYPE.CONTINUATION, FLAG.END_HEADERS, id, numbers(0x82828282)),
        ]),
      () => data(id, Buffer.alloc(next(3000))),
      () => data(id, 'bye', FLAG.END_STREAM),
      () => frame(TYPE.DATA, FLAG.PADDED, id, Buffer.from([3, 1, 2, 3, 0, 0, 0])),
      () => windowUpdate(next(2) * id, 1 + next(100_000)),
      () => reset(id, next(14)),
      () => ping(next(2)),
      () => settings({ [1 + next(9)]: next(100_000) }),
      () => goaway(next(9), next(14)),
      () => frame(next(256), next(256), id, Buffer.alloc(next(40))),
    ];
    frames.push(make[next(4) === 0 ? next(make.length) : 3 + next(4)]!());
  }
  return frames;
}

function mutate(frames: Buffer[], next: Next): void {
  for (let n = next(4); n > 0; n--) {
    const at = next(frames.length);
    const victim = frames[at]!;
    const change = next(6);
    if (change === 0) frames.splice(at, 1);
    else if (change === 1) frames.splice(next(frames.length), 0, victim);
    else if (change === 2) frames[at] = victim.subarray(0, next(victim.length + 1));
    else if (victim.length > 0) {
      const copy = Buffer.from(victim);
      copy[change === 3 ? next(Math.min(9, copy.length)) : next(copy.length)]! ^= 1 << next(8);
      frames[at] = copy;
    }
    if (frames.length === 0) frames.push(ping());
  }
}

interface Outcome {
  closed: (Error | undefined)[];
  streams: number;
}

function play(seed: number, role: 'client' | 'server'): Outcome {
  const next = random(seed);
  const wire = new Wire();
  wire.capacity = next(2) === 0 ? 20_000 : Number.POSITIVE_INFINITY;
  const outcome: Outcome = { closed: [], streams: 0 };
  const connection = new H2Connection({
    role,
    transport: wire,
    schedule: flush => wire.flushes.push(flush),
    now: () => 0,
    connectionWindow: 100_000,
    settings: {
      initialWindowSize: 70_000,
      maxFrameSize: 16_384,
      maxHeaderListSize: 4000,
      maxConcurrentStreams: 4,
    },
    limits: { connectionSendBytes: SEND_BYTES, controlBytes: 20_000 },
    events: {
      onReady() {},
      onGoaway() {},
      onClosed: error => outcome.closed.push(error),
      onStream(stream) {
        outcome.streams += 1;
        const endStream = next(10) === 0;
        const watcher = new Watcher(next, endStream);
        watcher.stream = stream;
        if (next(5) > 0 || endStream) stream.respond([[':status', '200']], endStream);
        return watcher;
      },
    },
  });
  const frames = conversation(next, role === 'server');
  mutate(frames, next);
  // The handshake comes whole, so that a client has its streams when the rest arrives.
  const handshake =
    role === 'client' ? Buffer.concat([settings({ 3: 100 }), settingsAck()]) : Buffer.alloc(0);
  const bytes = Buffer.concat([handshake, ...frames]);
  for (let at = 0; at < bytes.length; ) {
    const some = at < handshake.length ? handshake.length : 1 + next(next(2) === 0 ? 20 : 5000);
    const end = Math.min(bytes.length, at + some);
    // Copied, and wiped afterwards: nobody may keep a view without a copy.
    const piece = Buffer.from(bytes.subarray(at, end));
    connection.receive(piece);
    piece.fill(0xff);
    at = end;
    while (role === 'client' && connection.canOpen && (outcome.streams < OPENED_AT_ONCE || next(3) === 0)) {
      const endStream = next(8) === 0;
      const watcher = new Watcher(next, endStream);
      outcome.streams += 1;
      try {
        watcher.stream = connection.request(CONNECT, watcher, endStream);
      } catch (error) {
        // The peer may have announced that it takes next to no headers.
        assert.ok(error instanceof H2Error, String(error));
        break;
      }
    }
    if (next(6) === 0) wire.take();
    if (next(8) === 0) connection.drained();
    assert.ok(connection.bufferedBytes <= BUFFER_BOUND, `${connection.bufferedBytes} bytes are held`);
    assert.ok(connection.openStreams <= 100);
  }
  connection.transportEnded();
  assert.equal(connection.state, 'closed');
  assert.equal(connection.openStreams, 0);
  assert.equal(outcome.closed.length, 1);
  const [error] = outcome.closed;
  assert.ok(error === undefined || error instanceof H2Error, String(error));
  return outcome;
}

for (const role of ['server', 'client'] as const) {
  test(`${role}: ${RUNS} broken conversations`, () => {
    const codes = new Set<string>();
    let streams = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      try {
        const outcome = play(seed, role);
        streams += outcome.streams;
        codes.add((outcome.closed[0] as H2Error | undefined)?.code ?? 'none');
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    // The fuzzing reaches deep enough to be worth something.
    assert.ok(streams > RUNS, `${streams} streams`);
    assert.ok(codes.size >= 5, [...codes].join(' '));
  });
}
