/**
 * A service as requests of this worker's pods ask for it: routes, settings and retry budget, compiled when namerd
 * says something new. What was learnt (the budget, even sequences of unchanged rules) stays.
 */

import {
  DEFAULT_SERVICE_SETTINGS,
  type NameState,
  type RouteTable,
  type ServiceHttp,
  type ServiceSettings,
} from '#api';
import { type Caller, sourceTest } from '../../authorize/index.ts';
import { type ClientTable, type NameClient, RetryBudget, WeightedShares } from '../../balance/index.ts';
import type { RequestTable, ServiceCounters } from '../flow.ts';
import { type CompiledAction, Identifiers, RouteMatcher } from '../route/index.ts';

/** What namerd says of a service, as the resolver hands it on. */
export interface ServiceTarget {
  /** `<namespace>/<service>` */
  service: string;
  /** `/svc/<namespace>/<service>/<port>` */
  name: string;
  bound: NameState;
  http?: ServiceHttp;
}

/** The service does not ask for HTTP any more: connections that are carried as HTTP go on without routes. */
const NOTHING_ASKED: ServiceHttp = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS };

export interface CompiledRoutes {
  matcher: RouteMatcher;
  /** By action, as its backends are in order. */
  shares: ReadonlyMap<CompiledAction, WeightedShares>;
}

export interface ServiceParts {
  clients: ClientTable;
  requests: RequestTable;
  now(): number;
  random(): number;
  /** Something in the tables could not be used. */
  problem(about: string, message: string): void;
}

export class Service {
  readonly name: string;
  readonly service: string;
  counters: ServiceCounters;
  settings: ServiceSettings = DEFAULT_SERVICE_SETTINGS;
  budget: RetryBudget;
  /** Undefined: none are configured. */
  identifiers: Identifiers | undefined;
  /** Connections of clients that ask it. */
  users = 0;
  /** Monotonic milliseconds since when nobody uses it. */
  unusedSinceMs = 0;
  #target: ServiceTarget | undefined;
  readonly #said = new WeakSet<ServiceTarget>();
  #shares: ReadonlyMap<string, WeightedShares> = new Map();
  #own!: NameClient;
  #routes: CompiledRoutes | undefined;
  #consumers = new Map<string, CompiledRoutes>();
  #mayOverride: ((caller: Caller) => boolean) | undefined;
  readonly #parts: ServiceParts;

  constructor(target: ServiceTarget, parts: ServiceParts) {
    this.name = target.name;
    this.service = target.service;
    this.#parts = parts;
    this.counters = parts.requests.service(target.service);
    this.budget = new RetryBudget(this.settings.retries.budget, parts.now);
    this.update(target);
  }

  /** The service's own name, bound. */
  get own(): NameClient {
    return this.#own;
  }

  /** @returns the routes that hold for callers of the namespace; undefined: there are none. */
  routesFor(namespace: string): CompiledRoutes | undefined {
    if (this.#consumers.size === 0) return this.#routes;
    return this.#consumers.get(namespace) ?? this.#routes;
  }

  mayOverride(caller: Caller): boolean {
    return this.#mayOverride?.(caller) === true;
  }

  /**
   * What was said before changes nothing: a service has as many addresses as it likes, each with a snapshot of its
   * own, and connections to all of them bring theirs along.
   */
  update(target: ServiceTarget): void {
    if (this.#target === target || this.#said.has(target)) return;
    const before = this.#target;
    this.#said.add(target);
    this.#target = target;
    const { clients } = this.#parts;
    if (before === undefined || !sameText(before.bound, target.bound)) {
      const own = clients.compile(target.bound);
      if (before !== undefined) clients.release(this.#own);
      this.#own = own;
    }
    if (before !== undefined && sameText(before.http, target.http)) return;
    const http = target.http ?? NOTHING_ASKED;
    this.#configure(http.settings);
    const shares = new Map<string, WeightedShares>();
    this.#routes = http.routes === undefined ? undefined : this.#compile('', http.routes, shares);
    this.#consumers = new Map(
      Object.entries(http.consumers).map(([namespace, table]) => [
        namespace,
        this.#compile(namespace, table, shares),
      ]),
    );
    this.#shares = shares;
  }

  /** Says where its budget stands. To be called every second, also so that its counters are not forgotten. */
  count(): void {
    this.counters = this.#parts.requests.service(this.service);
    this.counters.budget += this.budget.balance;
  }

  close(): void {
    this.#parts.clients.release(this.#own);
  }

  #configure(settings: ServiceSettings): void {
    const { budget } = settings.retries;
    const before = this.settings.retries.budget;
    if (JSON.stringify(budget) !== JSON.stringify(before))
      this.budget = new RetryBudget(budget, this.#parts.now);
    this.settings = settings;
    this.identifiers = settings.identifiers.length === 0 ? undefined : new Identifiers(settings.identifiers);
    this.#mayOverride = settings.dtabFrom.length === 0 ? undefined : sourceTest(settings.dtabFrom);
  }

  /**
   * @param owner whose table it is.
   * @param kept gets the shares, by the rule that they are of: they go on where the rule says the same again.
   */
  #compile(owner: string, table: RouteTable, kept: Map<string, WeightedShares>): CompiledRoutes {
    const matcher = new RouteMatcher(table);
    for (const problem of matcher.problems) this.#parts.problem(this.name, problem);
    const shares = new Map(
      matcher.actions.map(action => {
        const names = action.backends.map(backend => backend.name);
        const key = JSON.stringify([owner, action.id, action.weights, names]);
        const known = kept.get(key) ?? this.#shares.get(key);
        const own = known ?? new WeightedShares(action.weights, names, this.#parts.random);
        kept.set(key, own);
        return [action, own] as const;
      }),
    );
    return { matcher, shares };
  }
}

function sameText(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
