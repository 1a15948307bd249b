/** Counters of one service as its callers' node sees it: the data path adds, a report takes the difference. */

import type { ServiceCounters } from '../../policy/flow.ts';

const TOTALS = [
  'retries',
  'retrySuccesses',
  'retriesOverBudget',
  'retriesOverLimit',
  'retriesTooLarge',
  'ejections',
  'shed',
  'timeouts',
  'headersRemoved',
] as const;
const LEVELS = ['budget', 'ejected'] as const;

export type ServiceTotal = (typeof TOTALS)[number];

/** What happened to a service since the last report, and where its levels stand. */
export type ServiceChange = { name: string } & Record<ServiceTotal | (typeof LEVELS)[number], number>;

export class CountedService implements ServiceCounters {
  retries = 0;
  retrySuccesses = 0;
  retriesOverBudget = 0;
  retriesOverLimit = 0;
  retriesTooLarge = 0;
  budget = 0;
  ejections = 0;
  ejected = 0;
  shed = 0;
  timeouts = 0;
  headersRemoved = 0;
  /** Number of the take after which somebody asked for it last. */
  askedTake = 0;
  readonly #name: string;
  #taken: Omit<ServiceChange, 'name'> = nothing();

  constructor(name: string) {
    this.#name = name;
  }

  /** Undefined when nothing has changed. */
  take(): ServiceChange | undefined {
    const before = this.#taken;
    if ([...TOTALS, ...LEVELS].every(field => this[field] === before[field])) return undefined;
    const change: ServiceChange = { name: this.#name, ...nothing() };
    for (const field of TOTALS) {
      change[field] = this[field] - before[field];
      before[field] = this[field];
    }
    for (const field of LEVELS) change[field] = before[field] = this[field];
    return change;
  }
}

function nothing(): Omit<ServiceChange, 'name'> {
  return {
    retries: 0,
    retrySuccesses: 0,
    retriesOverBudget: 0,
    retriesOverLimit: 0,
    retriesTooLarge: 0,
    budget: 0,
    ejections: 0,
    ejected: 0,
    shed: 0,
    timeouts: 0,
    headersRemoved: 0,
  };
}
