/** The calculator's own counts, as its programs publish them (`calculator/client.ts`). */

import { mustAsk } from './http.ts';

export interface TargetCounters {
  calls: number;
  outcomes: Partial<Record<string, number>>;
  answeredBy: Record<string, number>;
  seenAs: Record<string, number>;
  latenciesMs: readonly number[];
  lastFailure?: string;
}

export async function readCounters(socketPath: string): Promise<Record<string, TargetCounters>> {
  return JSON.parse(await mustAsk({ socketPath }, '/')) as Record<string, TargetCounters>;
}

/** Calls that got no answer: refused, reset, timed out. An answer with an HTTP error is an answer. */
export function failedCalls({ calls, outcomes }: TargetCounters): number {
  return calls - (outcomes['ok'] ?? 0) - (outcomes['error'] ?? 0);
}
