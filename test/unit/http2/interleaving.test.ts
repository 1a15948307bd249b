/** Whatever the order of work, the sizes of pieces and the limits: the same bytes arrive, then everything ends. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pair, type Recorder, type Side } from '../../lib/http2-pair.ts';

type Step =
  | { do: 'write'; side: 0 | 1; stream: number; bytes: number }
  | { do: 'end'; side: 0 | 1; stream: number }
  | { do: 'carry'; side: 0 | 1; cuts: number[] }
  | { do: 'consume'; side: 0 | 1; stream: number }
  | { do: 'open' };

const side = fc.constantFrom<0 | 1>(0, 1);
const stream = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      side,
      stream,
      bytes: fc.oneof(fc.nat(200), fc.nat(40_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), side, stream }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('carry' as const),
      side,
      cuts: fc.array(fc.nat(5000), { maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('consume' as const), side, stream }) },
  { weight: 2, arbitrary: fc.constant({ do: 'open' } as const) },
);

const limits = fc.record({
  initialWindowSize: fc.constantFrom(1, 1000, 65_535, 1_000_000),
  maxFrameSize: fc.constantFrom(16_384, 100_000),
});

class Tunnel {
  readonly sent: [Buffer[], Buffer[]] = [[], []];
  readonly ended = [false, false];
  readonly near: Recorder;
  far: Recorder | undefined;
  #counter = 0;

  constructor(near: Recorder) {
    this.near = near;
    near.consume = false;
  }

  end(side: 0 | 1): Recorder | undefined {
    return side === 0 ? this.near : this.far;
  }

  write(side: 0 | 1, bytes: number): void {
    const recorder = this.end(side);
    if (recorder === undefined || this.ended[side]) return;
    const chunk = Buffer.alloc(bytes, this.#counter++ % 251);
    this.sent[side].push(Buffer.from(chunk));
    recorder.stream!.write(chunk);
  }

  finish(side: 0 | 1): void {
    this.ended[side] = true;
    this.end(side)?.stream?.end();
  }
}

/** Moves what `from` wrote in pieces. */
function carry(from: Side, to: Side, cuts: readonly number[]): void {
  let rest = from.wire.take();
  for (const cut of cuts) {
    if (rest.length === 0) break;
    const piece = rest.subarray(0, Math.max(1, cut % rest.length));
    to.connection.receive(Buffer.from(piece));
    rest = rest.subarray(piece.length);
  }
  if (rest.length > 0) to.connection.receive(rest);
  from.connection.drained();
}

test('random work between two connections delivers the same bytes', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      limits,
      limits,
      fc.constantFrom(100, 50_000, 1e9),
      (steps, a, b, room) => {
        const pair = new Pair({ client: { settings: a }, server: { settings: b } });
        pair.settle();
        const sides = [pair.client, pair.server] as const;
        for (const { wire } of sides) wire.capacity = room;
        const tunnels: Tunnel[] = [];
        pair.server.accept = recorder => {
          recorder.consume = false;
          tunnels[(recorder.stream!.id - 1) / 2]!.far = recorder;
          recorder.stream!.respond([[':status', '200']]);
        };
        const consume = (recorder: Recorder | undefined) =>
          recorder?.stream?.consumed(Number.MAX_SAFE_INTEGER);
        for (const step of steps) {
          if (step.do === 'open') {
            if (tunnels.length < 4) tunnels.push(new Tunnel(pair.client.open()));
          } else if (step.do === 'carry') carry(sides[step.side], sides[1 - step.side]!, step.cuts);
          else {
            const tunnel = tunnels[step.stream];
            if (step.do === 'write') tunnel?.write(step.side, step.bytes);
            else if (step.do === 'consume') consume(tunnel?.end(step.side));
            else if (tunnel?.far !== undefined) tunnel.finish(step.side);
          }
        }
        const settleAll = () => {
          for (let quiet = 0; quiet < 2; ) {
            const before = tunnels.map(({ near, far }) => [
              near.chunks.length,
              near.ends,
              far?.chunks.length,
              far?.ends,
            ]);
            for (const { near, far } of tunnels) [near, far].forEach(consume);
            carry(pair.client, pair.server, []);
            carry(pair.server, pair.client, []);
            const after = tunnels.map(({ near, far }) => [
              near.chunks.length,
              near.ends,
              far?.chunks.length,
              far?.ends,
            ]);
            quiet = JSON.stringify(before) === JSON.stringify(after) ? quiet + 1 : 0;
          }
        };
        settleAll();
        for (const tunnel of tunnels)
          for (const end of [0, 1] as const) if (!tunnel.ended[end]) tunnel.finish(end);
        settleAll();
        for (const { near, far, sent } of tunnels) {
          assert.ok(far);
          assert.ok(far.bytes.equals(Buffer.concat(sent[0])), 'client to server');
          assert.ok(near.bytes.equals(Buffer.concat(sent[1])), 'server to client');
          assert.deepEqual([near.ends, far.ends, near.resets, far.resets], [1, 1, [], []]);
        }
        for (const { connection } of sides)
          assert.deepEqual(
            [connection.state, connection.openStreams, connection.bufferedBytes],
            ['open', 0, 0],
          );
      },
    ),
    { numRuns: 150 },
  );
});
