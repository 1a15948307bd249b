/** Whether and when a request is tried again: by the route's own retry, or by the service's classifier; in its budget. */

import type { RouteRetry } from '#api';
import { backoffMs, classify, isFailure } from '../../balance/index.ts';
import type { HttpVersion } from '../flow.ts';
import type { HttpRefusal } from '../reply/index.ts';
import type { Service } from './service.ts';

/** Connections that may fail before a request is given up: none of them has seen it. */
const CONNECT_ATTEMPTS = 3;

export class Retries {
  /** Milliseconds to wait before the next attempt. */
  backoffMs = 0;
  /** Another attempt was made. */
  retried = false;
  readonly #random: () => number;
  #service!: Service;
  #retry: RouteRetry | undefined;
  #method = '';
  #version: HttpVersion = 'http1';
  #left = 0;
  #connectsLeft = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Whether any is left; the body is kept for those. */
  get left(): boolean {
    return this.#left > 0;
  }

  begin(service: Service): void {
    this.#service = service;
    this.#retry = undefined;
    this.#left = 0;
    this.#connectsLeft = CONNECT_ATTEMPTS - 1;
    this.backoffMs = 0;
    this.retried = false;
  }

  /**
   * The request is known, and its route.
   * @returns the bytes of its body that are to be kept; -1: it is never tried again.
   */
  settle(retry: RouteRetry | undefined, method: string, version: HttpVersion): number {
    const { retries } = this.#service.settings;
    this.#retry = retry;
    this.#method = method;
    this.#version = version;
    this.#left = retry?.attempts ?? retries.attempts;
    const repeatable =
      retry !== undefined ||
      (version === 'grpc' && retries.grpcCodes.length > 0) ||
      classify(retries.classifier, [], method, 503, -1) === 'retryable';
    return repeatable && this.#left > 0 ? retries.bodyBytes : -1;
  }

  /** A connection failed before anything was sent. */
  anotherConnection(): boolean {
    if (this.#connectsLeft === 0) return false;
    this.#connectsLeft -= 1;
    this.backoffMs = 0;
    return true;
  }

  /**
   * May this outcome be tried again, budget aside?
   * @param status 0: there was no response.
   */
  wanted(status: number, grpcStatus: number, marked: boolean): boolean {
    const retry = this.#retry;
    // A route's own retry takes the classifier's place; without a response there is no code to compare.
    if (retry !== undefined) return status === 0 || retry.codes.includes(status);
    const { classifier, grpcCodes } = this.#service.settings.retries;
    return classify(classifier, grpcCodes, this.#method, status, grpcStatus, marked) === 'retryable';
  }

  /** The same for an attempt without a response. To a client of gRPC it would have been a status. */
  wantedAfter({ grpcStatus }: HttpRefusal): boolean {
    return this.wanted(0, -1, false) || (this.#version === 'grpc' && this.wanted(0, grpcStatus, false));
  }

  /** Takes one, if there is one. */
  take(): boolean {
    const { counters, budget, settings } = this.#service;
    if (this.#left === 0) {
      counters.retriesOverLimit += 1;
      return false;
    }
    if (!budget.withdraw()) {
      counters.retriesOverBudget += 1;
      return false;
    }
    this.#left -= 1;
    this.retried = true;
    counters.retries += 1;
    const retry = this.#retry;
    this.backoffMs =
      retry === undefined
        ? backoffMs(settings.retries.backoff, this.backoffMs, this.#random)
        : retry.backoffMs;
    return true;
  }

  /** Does the outcome speak against the endpoint? */
  isFailure(status: number, grpcStatus: number): boolean {
    return isFailure(this.#service.settings.retries.classifier, status, grpcStatus);
  }
}
