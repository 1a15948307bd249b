/** Clients that do not send in the time that their requests have: no fault of whom these went to. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS, DEFAULT_SERVICE_SETTINGS } from '#api';
import { FakeClock } from '../../lib/fake-clock.ts';
import { eventually } from '../../lib/http-policy/loopback.ts';
import { appOf, clientOf, closeAfterEach, stageOf } from '../../lib/http-policy/stage.ts';

closeAfterEach();

const POST = (length: number) => `POST / HTTP/1.1\r\nHost: web\r\nContent-Length: ${length}\r\n\r\nabc`;

/** One failure ejects the endpoint; all methods may be repeated. */
async function scene(timeouts: { totalMs?: number; perTryMs?: number }) {
  const app = await appOf({ request: () => {} });
  const clock = new FakeClock();
  const { retries, timeouts: defaults } = DEFAULT_SERVICE_SETTINGS;
  const settings = {
    ...DEFAULT_SERVICE_SETTINGS,
    retries: { ...retries, classifier: 'retryableAll5XX' as const, attempts: 2 },
    timeouts: { ...defaults, ...timeouts },
  };
  const { breaker } = DEFAULT_CLIENT_SETTINGS;
  const client = { ...DEFAULT_CLIENT_SETTINGS, breaker: { ...breaker, failures: 1, maxEjected: 1 } };
  const stage = await stageOf([app], { clock, client, http: { settings } });
  const ejections = () => {
    stage.hop.policy.sweep();
    return stage.hop.counters('/#/registry/shop/web/http').ejections;
  };
  return { ...stage, app, clock, ejections };
}

for (const timeouts of [{ totalMs: 1_000 }, { perTryMs: 1_000 }])
  it(`a request that is not sent to its end in time is answered 504, once: ${Object.keys(timeouts)}`, async () => {
    const { app, clock, client, port, hop, ejections } = await scene(timeouts);
    client.send(POST(4));
    await app.until(({ requests }) => requests.length === 1);
    clock.advance(1_000);
    assert.match((await client.response()).payload, /^504 timeout_/);
    assert.deepEqual([app.requests.length, ejections(), hop.counters().timeouts], [1, 0, 0]);
    const other = await clientOf(port);
    other.send(POST(3));
    await app.until(({ requests }) => requests.length === 2);
    clock.advance(1_000);
    await eventually(() => assert.equal(ejections(), 1));
  });
