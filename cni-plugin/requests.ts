/**
 * What the CNI plugin and local commands ask of the node's proxy, as JSON over HTTP/1.1 on a unix socket. The
 * readers check what comes over the wire, for the server; only root can open the socket, but a bad request must be
 * answered with its reason all the same.
 */

import { MeshError } from '#base/errors.ts';
import { canonicalIp } from '#base/net.ts';

export const DEFAULT_SOCKET = '/run/nodemesh/node.sock';

/** Methods and paths. All POST bodies and all answers are JSON objects. */
export const PATHS = {
  add: '/v1/pods/add',
  delete: '/v1/pods/delete',
  check: '/v1/pods/check',
  gc: '/v1/pods/gc',
  status: '/v1/status',
} as const;

/** GC lists every container of the node; all else is small. */
export const MAX_REQUEST_BYTES = 4 << 20;
export const MAX_ANSWER_BYTES = 1 << 20;

/** One network interface of one pod, as the runtime names it. */
export interface Attachment {
  containerId: string;
  ifName: string;
}

/** A pod's interface is up: enrol the pod if it belongs to the mesh. Repeating it is fine. */
export interface PodAdd extends Attachment {
  /** Path of the network namespace on the node, absolute. */
  netns: string;
  /** Both empty if the runtime is not Kubernetes; then the addresses say which workload it is. */
  podName: string;
  podNamespace: string;
  /** Addresses of this interface, canonical. */
  ips: readonly string[];
  labels?: Readonly<Record<string, string>>;
}

/** Capture, listeners and identity are in place, or the pod is none of ours. Failures are {@link ErrorBody}. */
export type PodAddAnswer = { enrolled: true } | { enrolled: false; reason: string };

/** The pod is going or gone: forget it. Succeeds for unknown pods. */
export interface PodDelete extends Attachment {
  /** Empty if the runtime does not know it any more. */
  netns: string;
  podName: string;
  podNamespace: string;
}

/** Is the pod as `add` left it? Failure says what is not. */
export type PodCheck = PodAdd;

/** These attachments exist; all others may be forgotten. */
export interface PodGc {
  valid: readonly Attachment[];
}

/** Can `add` be served now? */
export type StatusAnswer = { ready: true } | { ready: false; blockers: readonly string[] };

/** Body of every answer that is not 2xx. 503 = try again later, other statuses will not get better by themselves. */
export interface ErrorBody {
  /** `NM_…` */
  code: string;
  message: string;
  by: string;
  next?: string;
}

export class RequestError extends MeshError {
  constructor(problems: readonly string[]) {
    super('NM_BAD_REQUEST', problems.join('; '), {
      by: 'client',
      next: 'The CNI plugin and node-proxy may be of different versions: install both from the same release.',
    });
  }
}

const MAX_IPS = 64;
const MAX_LABELS = 1024;
const MAX_ATTACHMENTS = 10_000;

/** @throws RequestError */
export function readPodAdd(value: unknown): PodAdd {
  const reader = new Reader(value);
  const { podName, podNamespace } = reader.pod();
  const ips = reader.ips();
  const labels = reader.labels();
  const attachment = reader.attachment();
  const netns = reader.text('netns', NETNS, 'an absolute path');
  reader.finish();
  return { ...attachment, netns, podName, podNamespace, ips, ...(labels === undefined ? {} : { labels }) };
}

/** @throws RequestError */
export function readPodCheck(value: unknown): PodCheck {
  return readPodAdd(value);
}

/** @throws RequestError */
export function readPodDelete(value: unknown): PodDelete {
  const reader = new Reader(value);
  const result = {
    ...reader.attachment(),
    netns: reader.text('netns', NETNS_OR_EMPTY, 'an absolute path or empty'),
    ...reader.pod(),
  };
  reader.finish();
  return result;
}

/** @throws RequestError */
export function readPodGc(value: unknown): PodGc {
  const reader = new Reader(value);
  const valid = reader.attachments();
  reader.finish();
  return { valid };
}

/** Limits of the CNI specification, and of Kubernetes names. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,255}$/;
const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:\0]{1,15}$/;
const NETNS = /^\/[^\0]{1,4095}$/;
const NETNS_OR_EMPTY = /^(\/[^\0]{1,4095})?$/;
const NAME = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$/;

/** Collects all problems of one request; unknown fields are ignored, for newer plugins. */
class Reader {
  readonly #fields: Record<string, unknown>;
  readonly #problems: string[] = [];

  constructor(value: unknown) {
    if (isObject(value)) this.#fields = value;
    else throw new RequestError(['the body is no JSON object']);
  }

  text(field: string, pattern: RegExp, wanted: string): string {
    const value = this.#fields[field];
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.#problems.push(`${field} is ${value === undefined ? 'missing' : `not ${wanted}`}`);
    return '';
  }

  attachment(): Attachment {
    return {
      containerId: this.text('containerId', CONTAINER_ID, 'a container id'),
      ifName: this.text('ifName', INTERFACE_NAME, 'an interface name'),
    };
  }

  pod(): { podName: string; podNamespace: string } {
    return {
      podName: this.text('podName', NAME, 'a name'),
      podNamespace: this.text('podNamespace', NAME, 'a name'),
    };
  }

  ips(): string[] {
    const { ips } = this.#fields;
    const canonical = Array.isArray(ips)
      ? ips.map(ip => (typeof ip === 'string' ? canonicalIp(ip) : undefined))
      : [];
    const valid = canonical.filter(ip => ip !== undefined);
    if (!Array.isArray(ips) || valid.length !== ips.length || ips.length > MAX_IPS)
      this.#problems.push(`ips is not a list of at most ${MAX_IPS} IP addresses`);
    return valid;
  }

  labels(): Record<string, string> | undefined {
    const { labels } = this.#fields;
    if (labels === undefined) return undefined;
    const entries = isObject(labels) ? Object.entries(labels) : [];
    const valid = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    if (!isObject(labels) || valid.length !== entries.length || entries.length > MAX_LABELS)
      this.#problems.push(`labels is not an object of at most ${MAX_LABELS} texts`);
    // No prototype: a label may be called __proto__.
    return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(valid));
  }

  attachments(): Attachment[] {
    const { valid } = this.#fields;
    if (Array.isArray(valid) && valid.length <= MAX_ATTACHMENTS)
      return valid.map((value, i) => {
        const { containerId, ifName } = isObject(value) ? value : {};
        if (typeof containerId === 'string' && typeof ifName === 'string') return { containerId, ifName };
        this.#problems.push(`valid[${i}] is no attachment`);
        return { containerId: '', ifName: '' };
      });
    this.#problems.push(`valid is not a list of at most ${MAX_ATTACHMENTS} attachments`);
    return [];
  }

  finish(): void {
    if (this.#problems.length > 0) throw new RequestError(this.#problems);
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
