/**
 * The gate of a pod that judges requests: one for each connection that comes there. It asks the policies, keeps the
 * workload's limit, and knows what the application is told of the caller.
 */

import {
  type Authorizer,
  type Caller,
  type Decision,
  normalHost,
  normalPath,
  type RequestFacts,
} from '../../authorize/index.ts';
import type { Edge, EdgeTable, FlowLabels, LocalPod } from '../../tunnel/index.ts';
import type { HeldBytes } from '../exchange/held-bytes.ts';
import type { HttpVersion, RequestEdge, RequestSink, RequestTable } from '../flow.ts';
import { type Field, NO_FIELDS } from '../own-fields.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { RequestView } from '../view.ts';
import { ambiguousField } from './ambiguous-fields.ts';

export interface GateParts {
  edges: EdgeTable;
  held: HeldBytes;
  requests: RequestTable;
  log: RequestSink | undefined;
}

/** Requests under way at a pod, over all connections of this worker. */
interface Load {
  requests: number;
}

const loads = new WeakMap<LocalPod, Load>();

function loadOf(pod: LocalPod): Load {
  let load = loads.get(pod);
  if (load === undefined) loads.set(pod, (load = { requests: 0 }));
  return load;
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
  readonly #facts = new Facts();
  readonly #load: Load;
  readonly #identity: readonly Field[];

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
    this.#load = loadOf(pod);
    this.#identity = identityOf(pod, caller);
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

  /** What the policies say; a refusal where a request could be read in more than one way. */
  judge(view: RequestView): Decision | HttpRefusal {
    const { caller } = this;
    const { authorizer } = this.pod;
    const facts = authorizer.http ? this.#facts.read(view, authorizer) : NOTHING_ASKED;
    if (facts instanceof HttpRefusal) return facts;
    caller.request = facts;
    const decision = authorizer.decide(caller);
    caller.request = undefined;
    this.#facts.forget();
    return decision;
  }

  get takesPlaintext(): boolean {
    return this.caller.identity !== '' || this.pod.authorizer.plaintextAllowed(this.caller.port);
  }

  /** @returns false when the workload has as many requests under way as it takes. */
  enter(): boolean {
    const limit = this.pod.http?.concurrentRequests ?? 0;
    const load = this.#load;
    if (limit > 0 && load.requests >= limit) return false;
    load.requests += 1;
    return true;
  }

  leave(): void {
    this.#load.requests -= 1;
  }

  /** What the application is told of who calls, if it is to be told. */
  get identityFields(): readonly Field[] {
    return this.pod.http?.forwardClientIdentity === true ? this.#identity : NO_FIELDS;
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

/** One request's at a time: nothing is made for a request. */
class Facts implements RequestFacts {
  method = '';
  path = '';
  host = '';
  #view: RequestView | undefined;

  read(view: RequestView, authorizer: Authorizer): this | HttpRefusal {
    const path = authorizer.paths ? normalPath(view.path) : '';
    if (path === undefined)
      return new HttpRefusal('bad_request', 'the path can be read in more than one way');
    const host = normalHost(view.authority);
    if (host === undefined)
      return new HttpRefusal('bad_request', 'the host can be read in more than one way');
    const ambiguous = ambiguousField(view, authorizer);
    if (ambiguous !== undefined) return new HttpRefusal('bad_request', ambiguous);
    this.#view = view;
    this.method = view.method;
    this.path = path;
    this.host = host;
    return this;
  }

  header(name: string): string | undefined {
    return this.#view?.header(name);
  }

  /** Heads are large, and connections wait long. */
  forget(): void {
    this.#view = undefined;
  }
}

/** Envoy's x-forwarded-client-cert, as far as a mesh proves it: who was called, and who calls. */
function identityOf(pod: LocalPod, { identity }: Caller): readonly Field[] {
  if (identity === '') return NO_FIELDS;
  return [['x-forwarded-client-cert', `By=${pod.who.identity};URI=${identity}`]];
}
