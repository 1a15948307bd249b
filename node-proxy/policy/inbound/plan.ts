/** A request on its server's node: judged, limited, and given to the application. */

import type { Authorizer, Decision } from '../../authorize/index.ts';
import { entryOf } from '../entry.ts';
import { tooMuchHeld } from '../exchange/held-bytes.ts';
import type { Outcome, Plan, Upstream, Verdict } from '../exchange/plan.ts';
import type { HttpVersion } from '../flow.ts';
import { asLines, type Field, NO_FIELDS } from '../own-fields.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { CarriedRequest } from '../view.ts';
import type { Gate } from './gate.ts';
import { linkerdFields } from './linkerd-fields.ts';

/** As Envoy closes streams on which nothing moves. */
const IDLE_MS = 300_000;

export class InboundPlan implements Plan {
  readonly totalMs = 0;
  readonly perTryMs = 0;
  readonly perTryWhole = false;
  readonly idleMs = IDLE_MS;
  readonly keepBytes = -1;
  readonly authority = undefined;
  readonly requestEdits = undefined;
  readonly responseEdits = undefined;
  readonly backoffMs = 0;
  path = '';
  ownLines = '';
  ownFields: readonly Field[] = NO_FIELDS;

  readonly #gate: Gate;
  readonly #upstream: Upstream;
  readonly #underWay: Set<InboundPlan>;
  #view!: CarriedRequest;
  #decision: Decision | undefined;
  #version: HttpVersion = 'http1';
  #startedMs = 0;
  #firstByteMs = 0;
  #attempts = 0;
  #entered = false;
  #heldBytes = 0;

  /** @param underWay where it is listed while it has a request. */
  constructor(gate: Gate, upstream: Upstream, underWay: Set<InboundPlan>) {
    this.#gate = gate;
    this.#upstream = upstream;
    this.#underWay = underWay;
  }

  begin(view: CarriedRequest, version: HttpVersion, nowMs: number): Verdict {
    this.#view = view;
    this.#version = version;
    this.#startedMs = nowMs;
    this.#firstByteMs = 0;
    this.#attempts = 0;
    this.#entered = false;
    this.#decision = undefined;
    this.path = view.path;
    const gate = this.#gate;
    if (!gate.parts.held.hold(view.size)) return tooMuchHeld();
    this.#heldBytes = view.size;
    const decision = gate.judge(view);
    if (decision instanceof HttpRefusal) return decision;
    this.#decision = decision;
    if (!gate.takesPlaintext)
      return new HttpRefusal('policy', `${gate.pod.who.workload} takes only mesh traffic`);
    if (!decision.allowed)
      return new HttpRefusal('policy', `${decision.rule} refuses ${view.method} ${withoutQuery(view.path)}`);
    if (!gate.enter())
      return new HttpRefusal('overloaded', `${gate.pod.who.workload} has as many requests as it takes`);
    this.#entered = true;
    this.#underWay.add(this);
    this.#say(gate.identityFields, linkerdFields(view, gate.checked));
    return 'forward';
  }

  /** What the application is told beside what the caller sends. */
  #say(identity: readonly Field[], passed: readonly Field[]): void {
    if (passed.length > 0) this.ownFields = identity.length > 0 ? [...identity, ...passed] : passed;
    else if (this.ownFields === identity) return;
    else this.ownFields = identity;
    this.ownLines = asLines(this.ownFields);
  }

  next(): Upstream {
    this.#attempts += 1;
    return this.#upstream;
  }

  responded(_status: number, _grpcStatus: number, _marked: boolean, nowMs: number): 'forward' {
    this.#firstByteMs = nowMs - this.#startedMs;
    return 'forward';
  }

  /** An application that closed its connection just then gets the request anew; nothing else is repeated here. */
  failed(refusal: HttpRefusal, untouched: boolean): 'retry' | HttpRefusal {
    return untouched && this.#attempts < 2 && refusal.reason === 'upstream_reset' ? 'retry' : refusal;
  }

  tooLarge(): void {}

  /** Would the request under way be allowed? */
  stillAllowed(authorizer: Authorizer): boolean {
    const gate = this.#gate;
    if (gate.pod.authorizer !== authorizer) return true;
    if (!gate.takesPlaintext) return false;
    // Other policies may ask about what these did not.
    const decision = gate.judge(this.#view);
    if (decision instanceof HttpRefusal) return false;
    this.#decision = decision;
    return decision.allowed;
  }

  end(outcome: Outcome, nowMs: number): void {
    const gate = this.#gate;
    const { status, grpcStatus, reason } = outcome;
    this.#underWay.delete(this);
    gate.parts.held.free(this.#heldBytes);
    this.#heldBytes = 0;
    gate.carried(outcome.requestBytes, outcome.responseBytes);
    if (this.#entered) gate.leave();
    this.#entered = false;
    const tookMs = nowMs - this.#startedMs;
    gate.edge(this.#version).finished(status, grpcStatus, tookMs);
    const { requests, log } = gate.parts;
    if (reason !== '') requests.refused(gate.requestLabels(this.#version), reason);
    if (!log?.wants(outcome)) return;
    log.write(
      entryOf(this.#view, outcome, {
        direction: 'inbound',
        labels: gate.requestLabels(this.#version),
        source: gate.source,
        destination: gate.destination,
        endpoint: this.#attempts > 0 ? this.#upstream.address : '',
        firstByteMs: this.#firstByteMs,
        durationMs: tookMs,
        attempts: this.#attempts,
        name: '',
        boundId: '',
        rule: this.#decision?.rule ?? '',
        audits: this.#decision?.audits ?? NO_AUDITS,
      }),
    );
  }
}

const NO_AUDITS: readonly string[] = [];

/** Queries may hold secrets, and a refusal is logged. */
function withoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
