/** A slow endpoint: what callers wait for at most, and how a second try is answered by another endpoint. */

import type { Delivery, Order } from '../../calculator/courier.ts';
import { sum } from '../../mesh/metrics.ts';
import { backend, httpRoute, trafficPolicy } from '../http/documents.ts';
import { described, inForce } from '../http/in-force.ts';
import type { Findings, Scenario } from '../scenario.ts';
import { SECOND_SUBTRACTION } from './13-breaker.ts';

const URL = 'http://subtraction.calculator:5004/subtraction';
const SLOW_MS = 3_000;
const TOTAL_MS = 800;
/** Long enough for the other endpoint even on a busy machine, that answers twenty at once. */
const TRY_MS = 500;
/** How much later than promised an answer may be seen, on a busy machine. */
const GRACE_MS = 700;
const REQUESTS = 20;

/** Turn by turn, so that the slow endpoint is not avoided; it is ejected for nothing. */
const BASE = { balancer: { kind: 'roundRobin' }, circuitBreaker: { consecutiveFailures: 0 } };
export const BY_TURNS = trafficPolicy('subtraction', BASE);
export const TOTAL = trafficPolicy('subtraction', { ...BASE, timeouts: { total: `${TOTAL_MS}ms` } });
export const PER_TRY = trafficPolicy('subtraction', { ...BASE, timeouts: { perTry: `${TRY_MS}ms` } });
export const RETRIED = trafficPolicy('subtraction', {
  ...BASE,
  timeouts: { perTry: `${TRY_MS}ms` },
  retries: { classifier: 'io.l5d.http.retryableAll5XX' },
});
export const BY_ROUTE = httpRoute('subtraction', [
  { timeouts: { request: `${TOTAL_MS}ms` }, backendRefs: [backend('subtraction', 5004)] },
]);

export const scenario: Scenario = {
  number: 14,
  title: 'timeouts of a whole request and of each try; a second try finds the endpoint that is not slow',
  needs: [SECOND_SUBTRACTION],
  async run(stage, findings) {
    const caller = stage.pod('multiplication-1');
    const slow = stage.pod(SECOND_SUBTRACTION.name);
    const ask = (order: Partial<Order> = {}) =>
      stage.order(caller, { url: URL, count: REQUESTS, connections: REQUESTS, ...order });
    const late = async () => (await ask({ count: 2, connections: 2 })).statuses['504'] === 1;
    await stage.behave(slow, { delayMs: SLOW_MS });
    try {
      for (const [what, documents, reason, promisedMs] of [
        ['total, by TrafficPolicy', [TOTAL], 'timeout_total', TOTAL_MS],
        ['per try, by TrafficPolicy', [PER_TRY], 'timeout_try', TRY_MS],
        ['total, by HTTPRoute', [BY_TURNS, BY_ROUTE], 'timeout_total', TOTAL_MS],
      ] as const)
        await inForce(stage, findings, documents, late, async () => {
          const delivery = await ask();
          half(findings, what, reason, delivery);
          findings.within(
            `${what}: the longest wait, in ms`,
            [promisedMs, promisedMs + GRACE_MS],
            Math.round(delivery.latencyMs.max),
          );
        });
      const saved = async () =>
        sum(await stage.samples(), 'nodemesh_retry_successes_total', { service: 'calculator/subtraction' });
      const before = await saved();
      const holds = async () => (await ask({ count: 2, connections: 2 })).statuses['200'] === 2;
      await inForce(stage, findings, [RETRIED], holds, async () => {
        const delivery = await ask();
        const seen = `${described(delivery)}, ${delivery.answeredBy['subtraction-1/v1'] ?? 0} by subtraction-1`;
        findings.equal('per try, with a retry', `200 ×${REQUESTS}, ${REQUESTS} by subtraction-1`, seen);
        findings.within(
          'the longest wait, in ms',
          [TRY_MS, TRY_MS + GRACE_MS],
          Math.round(delivery.latencyMs.max),
        );
        findings.atLeast(
          'requests that a retry saved, by the metrics',
          REQUESTS / 2,
          (await saved()) - before,
        );
      });
    } finally {
      await stage.behave(slow, { delayMs: 0 });
    }
  },
};

/** One of two endpoints is too slow: half of the requests end with 504 and the reason, the others are answered. */
function half(findings: Findings, what: string, reason: string, delivery: Delivery): void {
  const share = REQUESTS / 2;
  findings.equal(`timeout ${what}`, `200 ×${share}, 504 ×${share} (${reason})`, described(delivery));
}
