/** Whatever happens in whatever order: each request ends once, nothing throws, and nothing is left behind. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import type { Recorder, Side } from '../../../../lib/http2-pair.ts';
import { head, scripted, settled } from './scripted.ts';

const GRPC = ['content-type', 'application/grpc'] as const;
const HEADS = [
  head('GET', '/1'),
  head('POST', '/2'),
  head('HEAD', '/3'),
  head('POST', '/4', GRPC),
  head('POST', '/5', GRPC, ['grpc-timeout', '300m']),
];

const ANSWERS: ((stream: NonNullable<Recorder['stream']>) => void)[] = [
  stream => stream.respond([[':status', '200']], true),
  stream => stream.respond([[':status', '200']]),
  stream => stream.respond([[':status', '103']]),
  stream => stream.respond([[':status', '503']], true),
  stream => stream.respond([[':status', '503']]),
  stream => void stream.write(Buffer.alloc(30)),
  stream => stream.end(),
  stream => stream.trailers([['grpc-status', '0']]),
  stream => stream.reset(0),
  stream => stream.reset(7),
  stream => stream.reset(8),
  stream => stream.consumed(10),
];

const one = <T extends string>(what: T, index = 0) =>
  fc.record({ what: fc.constant(what), which: fc.nat(index) });
const step = fc.oneof(
  { weight: 6, arbitrary: one('ask', HEADS.length * 2 - 1) },
  { weight: 8, arbitrary: one('answer', ANSWERS.length - 1) },
  { weight: 3, arbitrary: one('client sends', 1) },
  { weight: 2, arbitrary: one('client ends') },
  { weight: 2, arbitrary: one('client resets') },
  { weight: 2, arbitrary: one('client reads') },
  { weight: 1, arbitrary: one('client closes') },
  { weight: 1, arbitrary: one('application closes', 2) },
  { weight: 2, arbitrary: one('connecting', 2) },
  { weight: 2, arbitrary: one('naming', 2) },
  { weight: 3, arbitrary: one('pass', 3) },
  { weight: 8, arbitrary: one('settle') },
);

async function live(steps: { what: string; which: number }[], keeps: boolean, limits: boolean) {
  let naming = 0;
  let connecting = 0;
  let begun = 0;
  const world = await scripted({
    client: { initialWindowSize: 20 },
    app: { initialWindowSize: 20 },
    limits: { streamsPerUpstream: 2 },
    plan: plan => {
      let attempts = 0;
      Object.assign(plan, keeps ? { keepBytes: 40, retryStatus: 503, backoffMs: 50 } : {});
      Object.assign(plan, limits ? { totalMs: 400, perTryMs: 150, idleMs: 2_000 } : {});
      plan.retry = (_refusal, untouched) => (untouched || keeps) && ++attempts < 3;
      plan.verdict = () => {
        begun += 1;
        if (naming === 0) return 'forward';
        const failed = naming === 2;
        return settled().then(() => (failed ? new HttpRefusal('unresolved', 'not in time') : 'forward'));
      };
    },
  });
  const { client, server, clock, hooks, apps, plans, upstream } = world;
  hooks.connecting = async () => {
    const how = connecting;
    if (how > 0) await settled();
    if (how === 2) throw new HttpRefusal('connect_failed', 'nobody there');
  };
  const asked: Recorder[] = [];
  const streams = () => apps.flatMap((app: Side) => [...app.accepted.values()]);
  /** What a peer can't say on its stream at this point its own codec refuses. */
  const tries = (act: () => void) => {
    try {
      act();
    } catch {}
  };
  for (const { what, which } of steps) {
    const recorder = asked.at(-1);
    const stream = recorder?.stream;
    if (what === 'settle') await settled();
    else if (what === 'naming') naming = which;
    else if (what === 'connecting') connecting = which;
    else if (what === 'pass') {
      clock.advance([10, 60, 160, 2_500][which] as number);
      server.check(clock.monotonic());
      upstream.h2?.sweep(clock.monotonic());
    } else if (what === 'ask') {
      const headers = HEADS[which >> 1] as (typeof HEADS)[number];
      tries(() => asked.push(client.open(headers, (which & 1) === 1)));
      const latest = asked.at(-1);
      if (latest !== undefined) latest.consume = (which & 1) === 0;
    } else if (what === 'answer') {
      const theirs = streams().at(-1)?.stream;
      if (theirs !== undefined) tries(() => (ANSWERS[which] as (typeof ANSWERS)[number])(theirs));
    } else if (what === 'client sends') tries(() => stream?.write(Buffer.alloc(which === 0 ? 15 : 50)));
    else if (what === 'client ends') tries(() => stream?.end());
    else if (what === 'client resets') stream?.reset(8);
    else if (what === 'client reads') stream?.consumed(20);
    else if (what === 'client closes') client.connection.destroy();
    else {
      const app = apps.at(-1)?.connection;
      if (which === 0) app?.goaway();
      else if (which === 1) app?.destroy();
      else app?.destroy(2);
    }
  }
  await settled();
  server.breakOff('draining');
  upstream.h2?.destroy();
  await settled();
  await settled();
  assert.equal(plans.length, begun);
  assert.deepEqual(
    plans.map(({ ends }) => ends.length),
    plans.map(() => 1),
  );
  assert.equal(upstream.h2?.size ?? 0, 0);
  clock.advance(10_000);
  assert.equal(clock.timers, 0);
}

it('a client’s HTTP/2 connection leaves nothing behind, whatever happens when', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), fc.boolean(), live), {
    numRuns: 200,
  });
});
