import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../../../node-proxy/policy/exchange/plan.ts';
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
