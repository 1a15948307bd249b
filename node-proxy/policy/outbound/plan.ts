/**
 * A request on its client's node: named, routed, bound, balanced, tried again. One object per client connection
 * (HTTP/1.1) or stream (HTTP/2); nothing is made per request on the common way.
 */

import type { HashOn } from '#api';
import { hashText, type NameClient, type RequestBranch, type ServiceClient } from '../../balance/index.ts';
import { nameKey } from '../../resolve/index.ts';
import { blamesEndpoint, ConnectionRefused } from '../../tunnel/index.ts';
import { tooMuchHeld } from '../exchange/held-bytes.ts';
import type { Outcome, Plan, Upstream, Verdict } from '../exchange/plan.ts';
import type { HttpVersion } from '../flow.ts';
import { asLines, type Field, NO_FIELDS } from '../own-fields.ts';
import { HttpRefusal } from '../reply/index.ts';
import { type CompiledMatch, hashOf, OWN_NAME, redirectLocation } from '../route/index.ts';
import type { CarriedRequest, HeaderEdits } from '../view.ts';
import { Attempts } from './attempts.ts';
import type { OutboundClient } from './client.ts';
import { contextFields, requestedDtab, sentDeadlineMs } from './linkerd-context.ts';
import { labelsOf, recordOf } from './record.ts';
import { Retries } from './retries.ts';
import type { CompiledRoutes } from './service.ts';

export class OutboundPlan implements Plan {
  totalMs = 0;
  perTryMs = 0;
  perTryWhole = false;
  idleMs = 0;
  keepBytes = -1;
  path = '';
  authority: string | undefined;
  requestEdits: HeaderEdits | undefined;
  responseEdits: HeaderEdits | undefined;
  ownLines = '';
  ownFields: readonly Field[] = NO_FIELDS;

  readonly #client: OutboundClient;
  #view!: CarriedRequest;
  #version: HttpVersion = 'http1';
  #method = '';
  #startedMs = 0;
  #match: CompiledMatch | undefined;
  /** What is bound: the service's own name, a backend's, or an identifier's. */
  #name = '';
  #dtab = '';
  #context: readonly Field[] = NO_FIELDS;
  /** What keeps a client with its branch, as uint32; -1: nothing. */
  #sticky = -1;
  /** What keeps a client with its endpoint. */
  #hash = -1;
  #service: ServiceClient | undefined;
  readonly #attempts: Attempts;
  #firstByteMs = 0;
  #answered = false;
  /** The client gives the request less time than the service does. */
  #hurried = false;
  /** Which request it is: what was asked for an earlier one may be answered late. */
  #turn = 0;
  #heldBytes = 0;
  readonly #retries: Retries;

  constructor(client: OutboundClient) {
    this.#client = client;
    this.#attempts = new Attempts(client);
    this.#retries = new Retries(client.random);
  }

  get backoffMs(): number {
    return this.#retries.backoffMs;
  }

  begin(view: CarriedRequest, version: HttpVersion, nowMs: number): Verdict | Promise<Verdict> {
    this.#reset(view, version, nowMs);
    const { service, pod } = this.#client;
    const { settings } = service;
    if (!this.#client.held.hold(view.size)) return tooMuchHeld();
    this.#heldBytes = view.size;
    if (view.reserved) {
      const refusal = this.#readReserved(view);
      if (refusal !== undefined) return refusal;
    }
    this.#sticky = this.#hashOf(settings.stickyOn);
    let named: string = OWN_NAME;
    if (service.identifiers !== undefined) {
      const name = service.identifiers.identify(view);
      if (name === undefined)
        return new HttpRefusal('unidentified', `no identifier of ${service.service} names this request`);
      named = name;
      if (service.identifiers.consumes) this.path = service.identifiers.pathAfter(view) ?? this.path;
    }
    if (named === OWN_NAME) {
      const routes = service.routesFor(pod.who.namespace);
      if (routes !== undefined) {
        const match = routes.matcher.match(view);
        if (match === undefined)
          return new HttpRefusal('no_route', `no rule of the routes of ${service.service} fits this request`);
        const answer = this.#route(match, routes, view);
        if (answer !== undefined) return answer;
        named = this.#name;
      }
    }
    this.#settle(settings.timeouts.totalMs, settings.timeouts.perTryMs);
    return this.#bind(named);
  }

  next(nowMs: number): Upstream | HttpRefusal {
    const upstream = this.#attempts.next(this.#service as ServiceClient, this.#hash, nowMs);
    if (upstream instanceof HttpRefusal) return upstream;
    this.#firstByteMs = 0;
    const context = this.#context;
    if (context.length === 0) {
      this.ownLines = upstream.ownLines(this.#name);
      this.ownFields = upstream.ownFields(this.#name);
    } else {
      this.ownFields = [...upstream.ownFields(this.#name), ...context];
      this.ownLines = asLines(this.ownFields);
    }
    return upstream;
  }

  responded(status: number, grpcStatus: number, marked: boolean, nowMs: number): 'forward' | 'retry' {
    const took = this.#attempts.tookMs(nowMs);
    const retries = this.#retries;
    if (this.keepBytes >= 0 && retries.wanted(status, grpcStatus, marked) && retries.take()) {
      // A status that is only to be tried again (429, ABORTED) says nothing against the endpoint.
      this.#attempts.over(retries.isFailure(status, grpcStatus) ? 'failure' : 'success', took, nowMs);
      return 'retry';
    }
    this.#firstByteMs = took;
    this.#answered = true;
    return 'forward';
  }

  failed(refusal: HttpRefusal, untouched: boolean, nowMs: number): 'retry' | HttpRefusal {
    const took = this.#attempts.tookMs(nowMs);
    const { reason } = refusal;
    if (reason.startsWith('timeout') && refusal.by !== 'client') this.#client.service.counters.timeouts += 1;
    if (reason === 'overloaded') {
      this.#client.service.counters.shed += 1;
      this.#attempts.over('ignored', took, nowMs);
      return refusal;
    }
    if (reason === 'policy') {
      // It answered, and its answer stands: asking a sibling until one says yes would be a way around.
      this.#attempts.over('success', took, nowMs);
      return refusal;
    }
    this.#attempts.over(this.#saysNothing(refusal, untouched) ? 'ignored' : 'failure', took, nowMs);
    const retries = this.#retries;
    if (untouched && retries.anotherConnection()) return 'retry';
    const again =
      !this.#answered &&
      this.keepBytes >= 0 &&
      reason !== 'timeout_total' &&
      reason !== 'timeout_idle' &&
      // No endpoint does better with a request that does not come.
      refusal.by !== 'client' &&
      retries.wantedAfter(refusal) &&
      retries.take();
    return again ? 'retry' : refusal;
  }

  /** Is it no fault of the endpoint's? */
  #saysNothing({ reason, by, cause }: HttpRefusal, untouched: boolean): boolean {
    if (cause instanceof ConnectionRefused) return !blamesEndpoint(cause.reason);
    if (by === 'client') return true;
    // A server may close a connection that waits whenever it likes.
    if (reason === 'upstream_reset') return untouched;
    if (reason === 'timeout_total') return this.#hurried;
    return reason === 'internal';
  }

  tooLarge(): void {
    this.keepBytes = -1;
    if (this.#retries.left) this.#client.service.counters.retriesTooLarge += 1;
  }

  end(outcome: Outcome, nowMs: number): void {
    const { status, grpcStatus, reason } = outcome;
    const { service, requests, held } = this.#client;
    held.free(this.#heldBytes);
    this.#heldBytes = 0;
    if (this.#attempts.underWay) {
      const took = this.#answered ? this.#firstByteMs : this.#attempts.tookMs(nowMs);
      // What the application does wrong has been told by `failed`; else the client went, or was cut off.
      const gone = status === 0;
      const bad = gone || this.#retries.isFailure(status, grpcStatus);
      this.#attempts.over(gone ? 'ignored' : bad ? 'failure' : 'success', took, nowMs);
      if (this.#retries.retried && !bad) service.counters.retrySuccesses += 1;
    }
    const { upstream } = this.#attempts;
    const route = this.#match?.action.id ?? '';
    const tookMs = nowMs - this.#startedMs;
    const edge =
      upstream === undefined
        ? requests.edge(labelsOf(this.#client, upstream, route, this.#version))
        : upstream.edge(service.service, route, this.#version);
    edge.finished(status, grpcStatus, tookMs);
    upstream?.carried(outcome.requestBytes, outcome.responseBytes);
    if (reason !== '') requests.refused(labelsOf(this.#client, upstream, route, this.#version), reason);
    const { log } = this.#client;
    if (log?.wants(outcome))
      log.write(
        recordOf(this.#client, this.#view, outcome, {
          labels: labelsOf(this.#client, upstream, route, this.#version),
          endpoint: upstream?.address ?? '',
          boundId: upstream?.client.id ?? '',
          firstByteMs: this.#firstByteMs,
          durationMs: tookMs,
          attempts: this.#attempts.count,
          name: this.#name,
        }),
      );
    this.#attempts.reset();
    this.#service = undefined;
    this.#turn += 1;
  }

  #reset(view: CarriedRequest, version: HttpVersion, nowMs: number): void {
    this.#view = view;
    this.#version = version;
    this.#method = view.method;
    this.#startedMs = nowMs;
    this.path = view.path;
    this.authority = undefined;
    this.requestEdits = this.responseEdits = undefined;
    this.#match = undefined;
    this.#name = this.#client.service.name;
    this.#dtab = '';
    this.#context = NO_FIELDS;
    this.#sticky = this.#hash = -1;
    this.#firstByteMs = 0;
    this.#answered = this.#hurried = false;
    this.#turn += 1;
    this.keepBytes = -1;
    this.#client.refresh();
    const { service } = this.#client;
    this.idleMs = service.settings.timeouts.idleMs;
    this.#retries.begin(service);
  }

  /** Who may, says where the request goes; from anybody else it is only counted, and nobody sees it. */
  #readReserved(view: CarriedRequest): HttpRefusal | undefined {
    const { service, caller, overrides } = this.#client;
    const text = requestedDtab(view);
    if (text !== undefined) {
      if (service.mayOverride(caller)) {
        const dtab = overrides.read(text);
        if (dtab instanceof HttpRefusal) return dtab;
        this.#dtab = dtab;
      } else service.counters.headersRemoved += 1;
    }
    if (view.header('x-forwarded-client-cert') !== undefined) service.counters.headersRemoved += 1;
    return undefined;
  }

  /** @returns an answer instead of a backend. */
  #route(match: CompiledMatch, routes: CompiledRoutes, view: CarriedRequest): Verdict | undefined {
    const { action } = match;
    this.#match = match;
    if (action.redirect !== undefined) {
      const { authority, path } = view;
      const location = redirectLocation(action.redirect, {
        scheme: 'http',
        authority,
        path,
        prefix: match.prefix,
      });
      return { status: action.redirect.status, location };
    }
    const shares = routes.shares.get(action);
    const sticky = this.#sticky;
    const index = (sticky >= 0 ? shares?.byHash(sticky) : shares?.next()) ?? -1;
    const backend = action.backends[index];
    if (backend === undefined)
      return new HttpRefusal('invalid_backend', `${action.id}: no backend has a weight`);
    if (backend.invalid !== undefined)
      return new HttpRefusal('invalid_backend', `${action.id}: ${backend.name}: ${backend.invalid}`);
    this.#name = backend.name;
    this.path = backend.rewritePath(view.path, match.prefix) ?? this.path;
    this.authority = backend.rewriteHost;
    this.requestEdits = backend.requestEdits;
    this.responseEdits = backend.responseEdits;
    return undefined;
  }

  /** @returns uint32, or -1 when the request has nothing of that kind. */
  #hashOf(on: HashOn | undefined): number {
    const text = on === undefined ? undefined : hashOf(on, this.#view, this.#client.source.ip);
    return text === undefined ? -1 : hashText(text);
  }

  #settle(totalMs: number, perTryMs: number): void {
    const action = this.#match?.action;
    this.totalMs = action?.requestMs ?? totalMs;
    this.perTryMs = action?.backendRequestMs ?? perTryMs;
    this.perTryWhole = action?.backendRequestMs !== undefined;
    if (this.#view.reserved) this.#heedContext(this.#view);
    this.keepBytes = this.#retries.settle(action?.retry, this.#method, this.#version);
  }

  /** What the caller's own request was told, and what is passed on of it. */
  #heedContext(view: CarriedRequest): void {
    const epochMs = this.#client.wallNow();
    const sent = sentDeadlineMs(view);
    // Advisory in Linkerd; a caller that has given up gains nothing from our going on.
    if (sent !== undefined && (this.totalMs === 0 || sent - epochMs < this.totalMs)) {
      this.#hurried = true;
      this.totalMs = Math.max(Math.ceil(sent - epochMs), 1);
    }
    const deadlineMs = this.totalMs > 0 ? epochMs + this.totalMs : 0;
    this.#context = contextFields(view, this.#dtab, epochMs, deadlineMs);
  }

  #bind(named: string): Verdict | Promise<Verdict> {
    if (named === OWN_NAME && this.#dtab === '') return this.#choose(this.#client.service.own);
    if (named !== OWN_NAME) this.#name = named;
    const key = nameKey(this.#name, this.#dtab);
    const known = this.#client.names.known(key);
    if (known !== undefined) return this.#choose(known);
    return this.#resolve(key, this.#turn);
  }

  async #resolve(key: string, turn: number): Promise<Verdict> {
    const bound = await this.#client.names.resolve(key);
    // Nobody waits for the answer any more, and this may be about another request already.
    if (turn === this.#turn && bound !== undefined) return this.#choose(bound);
    return new HttpRefusal('unresolved', `namerd did not say in time what ${key} is bound to`);
  }

  #choose(bound: NameClient): Verdict {
    const branch: RequestBranch = this.#sticky >= 0 ? bound.pickByHash(this.#sticky) : bound.next();
    if ('none' in branch) {
      const { none, message } = branch;
      return new HttpRefusal(
        none === 'exhausted' ? 'connect_failed' : none,
        `${this.#name}: ${message || none}`,
      );
    }
    this.#service = branch.client;
    if (branch.residual !== '') this.#context = [...this.#context, ['l5d-dst-residual', branch.residual]];
    const { hashOn } = branch.client.settings.balancer;
    this.#hash = hashOn === undefined ? this.#sticky : this.#hashOf(hashOn);
    return 'forward';
  }
}
