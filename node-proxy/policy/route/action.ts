/**
 * What a rule does with its requests, compiled: header edits, redirect, rewrite, and the backends with their own
 * filters worked in. On a backend, the rule's filters act first and the backend's after them, so that where both
 * set one thing the backend's counts.
 *
 * Invariant: what can't be followed is refused, not left out. A bad filter of a rule makes all its backends invalid
 * (and it redirects nowhere), a bad filter of a backend makes that one invalid; invalid backends answer 500 with
 * their share of the requests.
 */

import type { RouteAction, RouteBackend, RouteFilter, RouteRetry } from '#api';
import { messageOf } from '#base/errors.ts';
import type { HeaderEdits } from '../view.ts';
import { EditList } from './header-edits.ts';
import { CompiledPathChange } from './path-change.ts';
import { CompiledRedirect, checkedHost } from './redirect.ts';

/** Filters in their order, as one change. */
export class CompiledFilters {
  readonly requestEdits: HeaderEdits | undefined;
  readonly responseEdits: HeaderEdits | undefined;
  readonly redirect: CompiledRedirect | undefined;
  /** Authority that takes the place of the client's. */
  readonly rewriteHost: string | undefined;
  /** Why the filters can't be followed; then there is nothing else. */
  readonly invalid: string | undefined;
  readonly #path: CompiledPathChange | undefined;

  /** @param invalid why they are not to be followed anyway */
  constructor(filters: readonly RouteFilter[], invalid?: string) {
    this.invalid = invalid;
    if (invalid !== undefined) return;
    const request = new EditList();
    const response = new EditList();
    let redirect: CompiledRedirect | undefined;
    let host: string | undefined;
    let path: CompiledPathChange | undefined;
    try {
      for (const filter of filters) {
        if (filter.kind === 'requestHeaders') request.apply(filter);
        else if (filter.kind === 'responseHeaders') response.apply(filter);
        else if (filter.kind === 'redirect') redirect = new CompiledRedirect(filter);
        else if (filter.kind === 'rewrite') {
          if (filter.hostname !== undefined) host = checkedHost(filter.hostname);
          if (filter.path !== undefined) path = new CompiledPathChange(filter.path);
        } else throw new TypeError(`unknown filter ${JSON.stringify((filter as { kind?: unknown }).kind)}`);
      }
    } catch (error) {
      this.invalid = messageOf(error);
      return;
    }
    this.requestEdits = request.build();
    this.responseEdits = response.build();
    this.redirect = redirect;
    this.rewriteHost = host;
    this.#path = path;
  }

  /**
   * @param path with its query, as sent
   * @param prefix what the match covers of it
   * @returns the path to send on, with the query; undefined if it is the same
   */
  rewritePath(path: string, prefix: string): string | undefined {
    return this.#path?.apply(path, prefix);
  }
}

export class CompiledAction extends CompiledFilters {
  /** `<namespace>/<route>[<rule>]`. */
  readonly id: string;
  readonly grpc: boolean;
  /** None, and no redirect: 500. */
  readonly backends: readonly CompiledBackend[];
  /** Those of the backends, in their order. */
  readonly weights: number[];
  /** Milliseconds; 0 = none, undefined = as the settings say. */
  readonly requestMs: number | undefined;
  readonly backendRequestMs: number | undefined;
  readonly retry: RouteRetry | undefined;

  constructor(action: RouteAction) {
    super(action.filters);
    this.id = action.id;
    this.grpc = action.grpc;
    this.backends = action.backends.map(each => new CompiledBackend(each, action.filters, this.invalid));
    this.weights = this.backends.map(each => each.weight);
    this.requestMs = action.requestMs;
    this.backendRequestMs = action.backendRequestMs;
    this.retry = action.retry;
  }
}

/** The rule's filters and the backend's own are both in it. */
export class CompiledBackend extends CompiledFilters {
  /** Name to bind. */
  readonly name: string;
  readonly weight: number;

  constructor(backend: RouteBackend, rule: readonly RouteFilter[], ruleInvalid: string | undefined) {
    super([...rule, ...backend.filters], backend.invalid ?? ruleInvalid);
    this.name = backend.name;
    this.weight = backend.weight;
  }
}
