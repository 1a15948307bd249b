/**
 * Percentage draws its divisor by itself: 0 half of the time, and then division fails. So asking percentage again is a
 * new draw, while asking division again is the same division by zero: retries must lift the success of the one and
 * can't help the other.
 *
 * Effective success is what callers see, each request once; actual success is what servers give, each attempt once.
 */

import type { Order } from '../../calculator/courier.ts';
import { type Sample, sum } from '../../mesh/metrics.ts';
import type { Stage } from '../../stage.ts';
import { type Document, trafficPolicy } from '../http/documents.ts';
import { inForce } from '../http/in-force.ts';
import { eventually, type Findings, type Scenario } from '../scenario.ts';
import { binomialBounds } from '../statistics.ts';

const URL = 'http://percentage.calculator:5005/percentage';
const REQUESTS: Partial<Order> = { count: 400, connections: 8 };
const LOAD_SECONDS = 4;
const LOAD: Partial<Order> = {
  count: 100_000,
  connections: 16,
  perSecond: 150,
  forMs: LOAD_SECONDS * 1000,
};
/** Linkerd's. Its time is shorter, so that it is seen to act within seconds. */
const BUDGET = { percentCanRetry: 0.2, minRetriesPerSecond: 10, ttl: '1s' };
const PLENTY = { percentCanRetry: 1, minRetriesPerSecond: 300, ttl: '1s' };

/** @param attempts after the first; 0: no retries. */
export function policyOf(service: string, attempts: number, budget: object = PLENTY): Document {
  // A calculation may be asked for again, although it is a POST.
  const retries = { classifier: 'io.l5d.http.retryableAll5XX', attempts, budget };
  return trafficPolicy(service, {
    // Half of all divisions fail and are meant to: nobody is to be ejected for that.
    circuitBreaker: { consecutiveFailures: 0 },
    // The node of the called counts what arrives there, attempt by attempt.
    server: { forwardClientIdentity: true },
    ...(attempts > 0 ? { retries } : {}),
  });
}

export const POLICIES = {
  none: [policyOf('percentage', 0), policyOf('division', 0)],
  percentage: [policyOf('percentage', 1)],
  budget: [policyOf('percentage', 1, BUDGET)],
  division: [policyOf('percentage', 0), policyOf('division', 2)],
};

export const scenario: Scenario = {
  number: 12,
  title: 'a retry of percentage draws again and helps, one of division does not; a budget caps them',
  async run(stage, findings) {
    const holds = async () => (await measure(stage, { count: 1 })).requests > 0;
    await inForce(stage, findings, POLICIES.none, holds, async () => {
      const none = await measure(stage, REQUESTS);
      effective(findings, 'no retries', none, binomialBounds(none.requests, 0.5));

      await store(stage, POLICIES.percentage, 'percentage', balance => balance >= 300);
      const retried = await measure(stage, REQUESTS);
      effective(findings, 'a retry of percentage', retried, binomialBounds(retried.requests, 0.75));
      actual(findings, 'a retry of percentage', retried);

      await store(stage, POLICIES.budget, 'percentage', balance => balance < 100);
      const loaded = await measure(stage, LOAD);
      const what = `${loaded.requests} requests in ${LOAD_SECONDS} s, budget 20 % + 10/s`;
      // In any window of the budget's time; the measured one touches one more than it is long.
      const allowed = Math.ceil(0.2 * loaded.requests) + 10 * (LOAD_SECONDS + 1);
      findings.within(`${what}: retries`, [Math.floor(0.2 * loaded.requests), allowed], loaded.retries);
      findings.atLeast(`${what}: retries that were not made for it`, 1, loaded.overBudget);
      effective(findings, what, loaded, binomialBounds(loaded.attempts, 0.5));
      actual(findings, what, loaded);

      await store(stage, POLICIES.division, 'division', balance => balance >= 300);
      const trap = await measure(stage, REQUESTS);
      effective(findings, 'two retries of division', trap, binomialBounds(trap.requests, 0.5));
      findings.atLeast('two retries of division: retries burnt for nothing', trap.requests / 2, trap.burnt);
    });
  },
};

interface Measured {
  /** To percentage: as its callers see them, and those that were answered with 2xx. */
  requests: number;
  ok: number;
  /** The same as percentage's own node sees it. */
  attempts: number;
  attemptsOk: number;
  retries: number;
  overBudget: number;
  /** Retries of division. */
  burnt: number;
}

/** What the metrics say of the requests of an order, and of those that mathfanboy makes meanwhile. */
async function measure(stage: Stage, order: Partial<Order>): Promise<Measured> {
  const before = await stage.samples();
  await stage.order(stage.pod('mathfanboy-1'), { url: URL, ...order });
  const after = await stage.samples();
  const percentage = 'calculator/percentage';
  const source = { reporter: 'source', destination_service: percentage };
  const destination = { reporter: 'destination', destination_workload: `${percentage}-1` };
  const ok = { status_class: '2xx' };
  const grown = (name: string, labels: Record<string, string>) =>
    sum(after, name, labels) - sum(before, name, labels);
  return {
    requests: grown('nodemesh_requests_total', source),
    ok: grown('nodemesh_requests_total', { ...source, ...ok }),
    attempts: grown('nodemesh_requests_total', destination),
    attemptsOk: grown('nodemesh_requests_total', { ...destination, ...ok }),
    retries: grown('nodemesh_retries_total', { service: percentage, outcome: 'made' }),
    overBudget: grown('nodemesh_retries_total', { service: percentage, outcome: 'over_budget' }),
    burnt: grown('nodemesh_retries_total', { service: 'calculator/division', outcome: 'made' }),
  };
}

function effective(
  findings: Findings,
  what: string,
  { ok, requests }: Measured,
  [low, high]: readonly [number, number],
): void {
  const expected = `${percent(low, requests)}…${percent(high, requests)}`;
  findings.add(
    `${what}: effective success`,
    expected,
    `${percent(ok, requests)} of ${requests}`,
    ok >= low && ok <= high,
  );
}

function actual(findings: Findings, what: string, { attempts, attemptsOk }: Measured): void {
  const [low, high] = binomialBounds(attempts, 0.5);
  const expected = `${percent(low, attempts)}…${percent(high, attempts)}`;
  const holds = attemptsOk >= low && attemptsOk <= high;
  findings.add(`${what}: actual success`, expected, `${percent(attemptsOk, attempts)} of ${attempts}`, holds);
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

/** Stores policies, and waits until the retry budget of the service is as they say. */
async function store(
  stage: Stage,
  documents: readonly Document[],
  service: string,
  fits: (balance: number) => boolean,
): Promise<void> {
  for (const document of documents) await stage.mesh.namerd.store(document);
  const balance = (samples: readonly Sample[]) =>
    sum(samples, 'nodemesh_retry_budget', { service: `calculator/${service}` });
  await eventually(async () => fits(balance(await stage.samples())));
}
