import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { H2Code } from '../../../../../node-proxy/http2/index.ts';
import type { Verdict } from '../../../../../node-proxy/policy/exchange/plan.ts';
import { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';
import type { Side } from '../../../../lib/http2-pair.ts';
import type { ScriptedPlan } from '../exchange/scripted-plan.ts';
import { head, scripted, settled, statusOf } from './scripted.ts';

const GRPC = ['content-type', 'application/grpc'] as const;

describe('the time of a request of HTTP/2', () => {
  it('includes what naming takes', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const { client, clock, plans, apps } = await scripted({
      plan: plan => {
        plan.totalMs = 100;
        plan.verdict = () => verdict.promise;
      },
    });
    const slow = client.open(head('GET', '/slow'), true);
    await settled();
    clock.advance(99);
    await settled();
    assert.equal(statusOf(slow), undefined);
    clock.advance(1);
    await settled();
    assert.equal(statusOf(slow), '504');
    verdict.resolve('forward');
    await settled();
    assert.deepEqual([apps.length, plans[0]?.ends.length], [0, 1]);
    assert.equal(clock.timers, 0);
  });

  it('goes on from its head when the name is known', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const { client, clock, apps } = await scripted({
      plan: plan => {
        plan.totalMs = 100;
        plan.verdict = () => verdict.promise;
      },
    });
    const slow = client.open(head('GET', '/slow'), true);
    await settled();
    clock.advance(60);
    verdict.resolve('forward');
    await settled();
    assert.equal(apps[0]?.requests.length, 1);
    clock.advance(40);
    await settled();
    assert.equal(statusOf(slow), '504');
  });

  it('is limited for each attempt until the head of the response, or until its end', async () => {
    for (const whole of [false, true]) {
      const { client, clock, plans, apps } = await scripted({
        plan: plan => {
          plan.perTryMs = 100;
          plan.perTryWhole = whole;
        },
      });
      const asked = client.open(head('GET', '/'), true);
      await settled();
      clock.advance(60);
      const answer = apps[0]?.accepted.get(1)?.stream;
      answer?.respond([[':status', '200']]);
      answer?.write(Buffer.from('ha'));
      await settled();
      clock.advance(60);
      await settled();
      assert.deepEqual(plans[0]?.failures, whole ? [['timeout_try', false]] : []);
      assert.equal(asked.resets.length, whole ? 1 : 0);
      if (!whole) answer?.end();
      await settled();
      assert.equal(plans[0]?.ends[0]?.reason, whole ? 'timeout_try' : '');
      assert.equal(clock.timers, 0);
    }
  });

  it('of an attempt is over when its stream breaks: the client still gets what has come', async () => {
    const { client, clock, apps, plans } = await scripted({
      client: { initialWindowSize: 50_000 },
      plan: plan => {
        plan.perTryMs = 100;
        plan.perTryWhole = true;
      },
    });
    const slow = client.open(head('GET', '/'), true);
    slow.consume = false;
    await settled();
    const answer = apps[0]?.accepted.get(1)?.stream;
    answer?.respond([[':status', '200']]);
    answer?.write(Buffer.alloc(100_000));
    await settled();
    answer?.reset(H2Code.INTERNAL_ERROR);
    await settled();
    clock.advance(200);
    await settled();
    assert.deepEqual([slow.bytes.length, slow.resets], [50_000, []]);
    slow.consume = true;
    slow.stream?.consumed(slow.bytes.length);
    await settled();
    assert.deepEqual([slow.bytes.length, slow.resets.length], [100_000, 1]);
    assert.equal(plans[0]?.ends[0]?.reason, 'upstream_reset');
  });

  it('is the client’s own where it has not sent all of its request', async () => {
    for (const ended of [true, false]) {
      let by = '';
      const { client, clock, apps } = await scripted({
        plan: plan => {
          plan.totalMs = 100;
          plan.retry = refusal => {
            by = refusal.by;
            return false;
          };
        },
      });
      const asked = client.open(head('POST', '/'), ended);
      await settled();
      assert.equal(apps[0]?.requests.length, 1);
      clock.advance(100);
      await settled();
      assert.deepEqual([statusOf(asked), by], ['504', ended ? 'upstream' : 'client']);
    }
  });

  it('is what the client of gRPC gives it, naming included', async () => {
    const { client, clock } = await scripted({
      plan: plan => {
        plan.verdict = () => new Promise(() => {});
      },
    });
    const call = client.open(head('POST', '/math/Add', GRPC, ['grpc-timeout', '50m']));
    await settled();
    clock.advance(60);
    await settled();
    assert.deepEqual(call.headers[0]?.find(([name]) => name === 'grpc-status')?.[1], '4');
  });
});

describe('an answer of the proxy’s own on a stream', () => {
  it('is counted with its status', async () => {
    const { client, plans } = await scripted({
      plan: plan => {
        plan.verdict = () => new HttpRefusal('no_route', 'nowhere');
      },
    });
    const stream = client.open(head('GET', '/'), true);
    await settled();
    assert.equal(statusOf(stream), '404');
    assert.deepEqual(plans[0]?.ends, [
      { status: 404, grpcStatus: -1, requestBytes: 0, responseBytes: 0, reason: 'no_route' },
    ]);
  });

  it('gives the client the credit for what it had sent', async () => {
    const { client, hooks, plans } = await scripted({
      plan: plan => {
        plan.retry = () => false;
      },
    });
    hooks.connecting = async () => {
      await settled();
      throw new HttpRefusal('connect_failed', 'nobody there');
    };
    // Four times what all of its streams together may have under way.
    for (let sent = 0; sent < 64 * 1024 * 1024; sent += 200_000) {
      const stream = client.open(head('POST', '/'));
      stream.stream?.write(Buffer.alloc(200_000));
      stream.stream?.end();
      await settled();
      await settled();
      assert.equal(statusOf(stream), '502');
      assert.equal(plans.at(-1)?.ends[0]?.requestBytes, 200_000, `after ${sent} bytes`);
    }
  });

  it('is the last word, also when the client takes it late and another attempt was to come', async () => {
    const { client, clock, apps, plans } = await scripted({
      client: { initialWindowSize: 0 },
      plan: plan => {
        plan.totalMs = 100;
        plan.backoffMs = 500;
        plan.keepBytes = 100;
        plan.retryStatus = 503;
      },
    });
    const stream = client.open(head('GET', '/'), true);
    await settled();
    apps[0]?.accepted.get(1)?.stream?.respond([[':status', '503']], true);
    await settled();
    clock.advance(100);
    await settled();
    assert.equal(statusOf(stream), '504');
    clock.advance(500);
    await settled();
    assert.equal(apps[0]?.requests.length, 1);
    assert.deepEqual([plans[0]?.ends.length, clock.timers], [0, 0]);
  });
});

describe('a request of HTTP/2 that stands still', () => {
  const idle = (plan: ScriptedPlan) => {
    plan.idleMs = 1_000;
    plan.retry = () => false;
  };

  it('is the client’s doing when it does not go on', async () => {
    const { client, plans, server } = await scripted({ plan: idle });
    const stream = client.open(head('POST', '/'));
    stream.stream?.write(Buffer.from('half'));
    await settled();
    for (const nowMs of [500, 1_000, 2_000]) server.check(nowMs);
    await settled();
    assert.equal(statusOf(stream), '408');
    assert.deepEqual(plans[0]?.failures, [['timeout_client', false]]);
    assert.equal(plans[0]?.ends[0]?.reason, 'timeout_client');
  });

  it('is the client’s doing when it does not read', async () => {
    const { client, apps, plans, server } = await scripted({ plan: idle, client: { initialWindowSize: 10 } });
    const stream = client.open(head('GET', '/'), true);
    stream.consume = false;
    await settled();
    const answer = apps[0]?.accepted.get(1)?.stream;
    answer?.respond([[':status', '200']]);
    answer?.write(Buffer.alloc(1_000));
    await settled();
    for (const nowMs of [500, 1_000, 2_000]) server.check(nowMs);
    await settled();
    assert.deepEqual(plans[0]?.failures, [['timeout_client', false]]);
    assert.equal(stream.resets.length, 1);
  });

  it('is the application’s doing when it has all it needs, or does not take it', async () => {
    const { client, plans, server } = await scripted({ plan: idle, app: { initialWindowSize: 10 } });
    const whole = client.open(head('GET', '/'), true);
    const stuck = client.open(head('POST', '/'));
    stuck.stream?.write(Buffer.alloc(1_000));
    await settled();
    for (const nowMs of [500, 1_000, 2_000]) server.check(nowMs);
    await settled();
    assert.deepEqual([statusOf(whole), statusOf(stuck)], ['504', '504']);
    for (const plan of plans) assert.deepEqual(plan.failures, [['timeout_idle', false]]);
  });
});

describe('a body that is sent again', () => {
  it('may be larger than what a connection holds for it', async () => {
    const { client, apps, plans } = await scripted({
      plan: plan => {
        plan.keepBytes = 16 * 1024 * 1024;
        plan.retryStatus = 503;
        plan.retry = () => false;
      },
    });
    const body = Buffer.alloc(6 * 1024 * 1024, 'x');
    const stream = client.open(head('POST', '/'));
    stream.stream?.write(body);
    stream.stream?.end();
    await settled();
    const { accepted } = apps[0] as Side;
    while (accepted.get(1)?.ends !== 1) await settled();
    accepted.get(1)?.stream?.respond([[':status', '503']], true);
    for (let i = 0; i < 200 && accepted.get(3)?.ends !== 1 && stream.ends === 0; i++) await settled();
    assert.equal(accepted.get(3)?.bytes.length, body.length);
    accepted.get(3)?.stream?.respond([[':status', '200']], true);
    await settled();
    assert.deepEqual([statusOf(stream), plans[0]?.ends[0]?.requestBytes], ['200', body.length]);
  });
});

describe('a place on the connection to an application', () => {
  it('is free when the application has answered, however slowly the client takes it', async () => {
    const { client, apps, hooks } = await scripted({
      client: { initialWindowSize: 10 },
      limits: { streamsPerUpstream: 1 },
    });
    const slow = client.open(head('GET', '/slow'), true);
    slow.consume = false;
    await settled();
    hooks.connecting = () => Promise.reject(new HttpRefusal('overloaded', 'as many as there may be'));
    client.open(head('GET', '/next'), true);
    await settled();
    assert.equal(apps[0]?.requests.length, 1);
    const answer = apps[0]?.accepted.get(1)?.stream;
    answer?.respond([[':status', '200']]);
    answer?.write(Buffer.alloc(100));
    answer?.end();
    await settled();
    assert.equal(apps[0]?.requests.length, 2);
    assert.equal(slow.ends, 0);
  });
});
