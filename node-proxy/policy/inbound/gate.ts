/**
 * The gate of a pod that judges requests: one for each connection that comes there. It asks the policies, keeps the
 * workload's limit, and knows what the application is told of the caller.
 */

import {
  type Caller,
  type Decision,
  normalHost,
  normalPath,
  type RequestFacts,
} from '../../authorize/index.ts';
import type { Edge, EdgeTable, FlowLabels, InboundCaller, LocalPod } from '../../tunnel/index.ts';
import type { HeldBytes } from '../exchange/held-bytes.ts';
import type { HttpVersion, RequestEdge, RequestEntry, RequestTable } from '../flow.ts';
import type { Field } from '../own-fields.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { RequestView } from '../view.ts';

export interface GateParts {
  edges: EdgeTable;
  held: HeldBytes;
  requests: RequestTable;
  log: ((entry: RequestEntry) => void) | undefined;
  /** Requests under way by pod id, over all connections of this worker. */
  underWay: Map<string, number>;
}

export class Gate {
  readonly pod: LocalPod;
  readonly caller: Caller;
  readonly source: string;
  readonly destination: string;
  readonly labels: FlowLabels;
  readonly parts: GateParts;
  /** The caller's node has carried the requests itself, and removed what its pod may not say. */
  readonly checked: boolean;
  readonly #flows: readonly Edge[];
  readonly #edges: Partial<Record<HttpVersion, RequestEdge>> = {};

  constructor(
    pod: LocalPod,
    caller: Caller,
    source: string,
    destination: string,
    labels: FlowLabels,
    parts: GateParts,
    checked: boolean,
  ) {
    this.pod = pod;
    this.caller = caller;
    this.source = source;
    this.destination = destination;
    this.labels = labels;
    this.parts = parts;
    this.checked = checked;
    this.#flows = parts.edges.flow(labels);
    for (const flow of this.#flows) flow.opened(0);
  }

  /** Bytes of a request and its response, as the connection's counters see them. */
  carried(sent: number, received: number): void {
    for (const flow of this.#flows) {
      flow.sentBytes += sent;
      flow.receivedBytes += received;
    }
  }

  /** The caller's connection is gone. */
  close(): void {
    for (const flow of this.#flows) flow.closed();
  }

  /** What the policies are asked about; a refusal where a request could be read in more than one way. */
  facts(view: RequestView): RequestFacts | HttpRefusal {
    const { authorizer } = this.pod;
    if (!authorizer.http) return NOTHING_ASKED;
    const path = authorizer.paths ? normalPath(view.path) : '';
    if (path === undefined)
      return new HttpRefusal('bad_request', 'the path can be read in more than one way');
    const host = normalHost(view.authority);
    if (host === undefined)
      return new HttpRefusal('bad_request', 'the host can be read in more than one way');
    return new Facts(view, path, host);
  }

  judge(facts: RequestFacts): Decision {
    const { caller } = this;
    caller.request = facts;
    const decision = this.pod.authorizer.decide(caller);
    caller.request = undefined as never;
    return decision;
  }

  get takesPlaintext(): boolean {
    return this.caller.identity !== '' || this.pod.authorizer.plaintextAllowed(this.caller.port);
  }

  /** @returns false when the workload has as many requests under way as it takes. */
  enter(): boolean {
    const limit = this.pod.http?.concurrentRequests ?? 0;
    const { underWay } = this.parts;
    const { id } = this.pod.who;
    const now = underWay.get(id) ?? 0;
    if (limit > 0 && now >= limit) return false;
    underWay.set(id, now + 1);
    return true;
  }

  leave(): void {
    const { underWay } = this.parts;
    const { id } = this.pod.who;
    const left = (underWay.get(id) ?? 1) - 1;
    if (left > 0) underWay.set(id, left);
    else underWay.delete(id);
  }

  /** Envoy's x-forwarded-client-cert, as far as a mesh proves it: who was called, and who calls. */
  get identityField(): Field | undefined {
    if (this.pod.http?.forwardClientIdentity !== true || this.caller.identity === '') return undefined;
    return ['x-forwarded-client-cert', `By=${this.pod.who.identity};URI=${this.caller.identity}`];
  }

  edge(version: HttpVersion): RequestEdge {
    this.#edges[version] ??= this.parts.requests.edge(this.requestLabels(version));
    return this.#edges[version];
  }

  requestLabels(version: HttpVersion) {
    const { labels } = this;
    return {
      reporter: 'destination' as const,
      sourceWorkload: labels.sourceWorkload,
      sourceIdentity: labels.sourceIdentity,
      destinationWorkload: labels.destinationWorkload,
      destinationIdentity: labels.destinationIdentity,
      destinationService: labels.destinationService,
      route: '',
      version,
      security: labels.security,
    };
  }
}

/** No policy of the pod asks about requests. */
const NOTHING_ASKED: RequestFacts = { method: '', path: '', host: '', header: () => undefined };

class Facts implements RequestFacts {
  readonly path: string;
  readonly host: string;
  readonly #view: RequestView;
  readonly #method: string;

  constructor(view: RequestView, path: string, host: string) {
    this.#view = view;
    this.#method = view.method;
    this.path = path;
    this.host = host;
  }

  get method(): string {
    return this.#method;
  }

  header(name: string): string | undefined {
    return this.#view.header(name);
  }
}

export type { InboundCaller };
