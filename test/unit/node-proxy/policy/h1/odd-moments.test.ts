/** Whatever happens in whatever order: each request ends once, nothing throws, and nothing is left behind. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import { scripted, settled } from './scripted.ts';

const SAID = [
  'GET /1 HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET /2 HTTP/1.1\r\nHost: web\r\n\r\nGET /3 HTTP/1.1\r\nHost: web\r\n\r\n',
  'HEAD /4 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n',
  'GET /5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET /6 HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'POST /7 HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\nabc',
  'POST /8 HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
  'abc',
  '3\r\ndef\r\n0\r\n\r\n',
  'GET /9 HTT',
  'P/1.1\r\nHost: web\r\n\r\n',
];

const ANSWERED = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok',
  'ok',
  'HTTP/1.1 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
  '0\r\n\r\n',
  'HTTP/1.1 103 Hints\r\n\r\n',
  'HTTP/1.1 204 None\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy',
  'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu',
  'HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
  'HTTP/1.1 20',
];

const one = <T extends string>(what: T, index = 0) =>
  fc.record({ what: fc.constant(what), which: fc.nat(index) });
const step = fc.oneof(
  { weight: 6, arbitrary: one('say', SAID.length - 1) },
  { weight: 6, arbitrary: one('answer', ANSWERED.length - 1) },
  { weight: 1, arbitrary: one('client ends') },
  { weight: 1, arbitrary: one('client closes', 1) },
  { weight: 2, arbitrary: one('client room', 1) },
  { weight: 1, arbitrary: one('client breaks on write') },
  { weight: 2, arbitrary: one('application ends') },
  { weight: 2, arbitrary: one('application closes', 1) },
  { weight: 2, arbitrary: one('application room', 1) },
  { weight: 1, arbitrary: one('application breaks on write') },
  { weight: 2, arbitrary: one('connecting', 2) },
  { weight: 2, arbitrary: one('naming', 2) },
  { weight: 3, arbitrary: one('pass', 3) },
  { weight: 3, arbitrary: one('settle') },
);

async function live(steps: { what: string; which: number }[], keeps: boolean, limits: boolean) {
  const world = scripted();
  const { client, wires, plan, server, clock, hooks, closed } = world;
  let begun = 0;
  let naming = 0;
  let attempts = 0;
  let connecting = 0;
  Object.assign(plan, keeps ? { keepBytes: 4, retryStatus: 503, backoffMs: 50 } : {});
  Object.assign(plan, limits ? { totalMs: 400, perTryMs: 150, idleMs: 2_000 } : {});
  plan.verdict = () => {
    begun += 1;
    attempts = 0;
    if (naming === 0) return 'forward';
    const failed = naming === 2;
    return settled().then(() => (failed ? new HttpRefusal('unresolved', 'not in time') : 'forward'));
  };
  plan.retry = (_refusal, untouched) => (untouched || keeps) && ++attempts < 3;
  hooks.connecting = async wire => {
    const how = connecting;
    if (how > 0) await settled();
    wire.closed = how === 2;
    if (how === 2) throw new HttpRefusal('connect_failed', 'nobody there');
  };
  /** Who has said its last word says nothing more. */
  const ended = new Set<object>();
  for (const { what, which } of steps) {
    const wire = wires.at(-1);
    const open = wire !== undefined && !wire.closed && !(what === 'answer' && ended.has(wire));
    if (what === 'settle') await settled();
    else if (what === 'naming') naming = which;
    else if (what === 'connecting') connecting = which;
    else if (what === 'pass') {
      clock.advance([10, 60, 160, 2_500][which] as number);
      server.check(clock.monotonic());
    } else if (what.startsWith('client')) {
      if (client.closed) continue;
      if (what === 'client ends') {
        ended.add(client);
        client.events?.onEnd();
      } else if (what === 'client closes') client.close(which === 1);
      else if (what === 'client breaks on write') client.onWrite = () => client.close(false);
      else {
        client.room = which === 1;
        if (client.room) client.events?.onDrain();
      }
    } else if (what === 'say') {
      if (!client.closed && !ended.has(client)) client.say(SAID[which] as string);
    } else if (!open) continue;
    else if (what === 'answer') wire.say(ANSWERED[which] as string);
    else if (what === 'application ends') {
      ended.add(wire);
      wire.events?.onEnd();
    } else if (what === 'application closes') wire.close(which === 1);
    else if (what === 'application breaks on write') wire.onWrite = () => wire.close(false);
    else {
      wire.room = which === 1;
      if (wire.room) wire.events?.onDrain();
    }
  }
  server.breakOff('draining');
  await settled();
  await settled();
  assert.equal(closed(), 1);
  assert.equal(plan.ends.length, begun);
  for (const wire of [client, ...wires]) assert.equal(wire.corked, 0);
  clock.advance(10_000);
  assert.equal(clock.timers, 0);
  // Nobody reads on for a request that is over.
  const { idle } = world.upstream;
  for (const connection of idle) assert.equal((connection.wire as (typeof wires)[number]).paused, false);
  for (const wire of wires)
    assert.ok(wire.closed || wire.ended || idle.some(connection => connection.wire === wire));
  await settled();
}

it('a client’s HTTP/1.1 connection leaves nothing behind, whatever happens when', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), fc.boolean(), live), {
    numRuns: 500,
  });
});
