/** What a scenario is, and how it says what it expected and what it saw. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#base/errors.ts';
import type { WorkloadSpec } from '../inventory.ts';
import { failedCalls, type TargetCounters } from '../mesh/counters.ts';
import type { Stage } from '../stage.ts';

export interface Scenario {
  /** As in the list of what the demo has to prove. */
  number: number;
  title: string;
  /** Pods beside the calculator's own; they run from here on. */
  needs?: readonly WorkloadSpec[];
  /** Leaves the stage as it was found. What it throws counts as a finding that does not hold. */
  run(stage: Stage, findings: Findings): Promise<void>;
}

export interface Finding {
  scenario: number;
  what: string;
  expected: string;
  seen: string;
  holds: boolean;
}

/** Longer ones make a table that nobody can read. */
const MAX_SEEN = 200;

export class Findings {
  readonly list: Finding[] = [];
  readonly #scenario: number;

  constructor(scenario: number) {
    this.#scenario = scenario;
  }

  add(what: string, expected: string, seen: string, holds: boolean): void {
    this.list.push({ scenario: this.#scenario, what, expected, seen, holds });
  }

  equal(what: string, expected: string | number, seen: string | number): void {
    this.add(what, String(expected), String(seen), expected === seen);
  }

  /** A list of exceptions, expected to be empty. */
  none(what: string, seen: readonly string[]): void {
    this.add(what, 'none', seen.join(', ') || 'none', seen.length === 0);
  }

  atLeast(what: string, least: number, seen: number): void {
    this.add(what, `≥ ${least}`, String(seen), seen >= least);
  }

  /** Both ends included. */
  within(what: string, [low, high]: readonly [number, number], seen: number): void {
    this.add(what, `${low}…${high}`, String(seen), seen >= low && seen <= high);
  }

  /** All calls were answered, and there were some. */
  noFailedCall(what: string, counters: TargetCounters): void {
    const failed = failedCalls(counters);
    this.add(what, '0 failed', describeFailures(counters), failed === 0 && counters.calls > 0);
  }

  /** No call was answered, and some were tried. */
  allRefused(what: string, counters: TargetCounters): void {
    const answered = counters.calls - failedCalls(counters);
    this.add(
      what,
      'all refused',
      `${answered} of ${counters.calls} answered`,
      answered === 0 && counters.calls > 0,
    );
  }

  thrown(error: unknown): void {
    this.add(
      'the scenario runs to its end',
      'yes',
      (messageOf(error).split('\n', 1)[0] ?? '').slice(0, MAX_SEEN),
      false,
    );
  }
}

/** How long a change may take to arrive everywhere when no shorter time is promised. */
const SETTLE_TIMEOUT_MS = 5_000;
const POLL_MS = 20;

/** Tries until `holds`; milliseconds it took, or undefined when the time is over. */
export async function eventually(
  holds: () => Promise<boolean>,
  timeoutMs = SETTLE_TIMEOUT_MS,
): Promise<number | undefined> {
  const start = performance.now();
  while (performance.now() - start < timeoutMs) {
    if (await holds()) return performance.now() - start;
    await sleep(POLL_MS);
  }
  return undefined;
}

/** What happened between two readings of the same counters. */
export function since(before: TargetCounters | undefined, after: TargetCounters): TargetCounters {
  if (before === undefined) return after;
  const difference = (a: Partial<Record<string, number>>, b: Partial<Record<string, number>>) =>
    Object.fromEntries(Object.entries(b).map(([key, value]) => [key, (value ?? 0) - (a[key] ?? 0)]));
  return {
    ...after,
    calls: after.calls - before.calls,
    outcomes: difference(before.outcomes, after.outcomes),
    answeredBy: difference(before.answeredBy, after.answeredBy) as Record<string, number>,
    seenAs: difference(before.seenAs, after.seenAs) as Record<string, number>,
  };
}

/** How many answers came from instances of a version, for example `v2`. */
export function answersOf({ answeredBy }: TargetCounters, version: string): number {
  return Object.entries(answeredBy)
    .filter(([answerer]) => answerer.endsWith(`/${version}`))
    .reduce((total, [, count]) => total + count, 0);
}

/** `3 of 100 failed (2 refused, 1 reset: socket hang up)` */
export function describeFailures(counters: TargetCounters): string {
  const kinds = Object.entries(counters.outcomes).filter(([kind]) => kind !== 'ok' && kind !== 'error');
  const why = kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
  const last = counters.lastFailure === undefined ? '' : `: ${counters.lastFailure}`;
  return `${failedCalls(counters)} of ${counters.calls} failed${why === '' ? '' : ` (${why}${last})`}`;
}
