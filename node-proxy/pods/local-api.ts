/** What the CNI plugin and the local commands may ask of this proxy, as plain functions from request to answer. */

import { MeshError } from '#base/errors.ts';
import type { CaptureGuard } from './capture-guard.ts';
import { PodNotFound, type PodSet } from './pod-set.ts';

export class BadRequest extends MeshError {
  constructor(message: string) {
    super('NM_BAD_REQUEST', message, {
      by: 'client',
      next: 'See cni-plugin/protocol.ts for the shape of requests.',
    });
  }
}

export interface LocalApiParts {
  pods: PodSet;
  guard: CaptureGuard;
  /** Undefined when the proxy takes pods; else why not. */
  notReady: () => string | undefined;
  status: () => Promise<unknown>;
}

type Body = Readonly<Record<string, unknown>>;
export type LocalApi = Readonly<Record<string, (body: Body) => Promise<unknown>>>;

export function localApi({ pods, guard, notReady, status }: LocalApiParts): LocalApi {
  const mustTakePods = () => {
    const why = notReady();
    if (why === undefined) return;
    throw new MeshError('NM_NOT_READY', `node-proxy takes no pods yet: ${why}`, {
      by: 'mesh',
      next: 'Try again; see /ready.',
    });
  };
  return {
    'POST /v1/pods/add': async body => {
      mustTakePods();
      const request = {
        containerId: text(body, 'containerId'),
        netns: text(body, 'netns'),
        workload: `${text(body, 'podNamespace')}/${text(body, 'podName')}`,
        ips: texts(body, 'ips'),
      };
      return pods.add(request);
    },
    'POST /v1/pods/delete': async body => {
      await pods.remove({ containerId: text(body, 'containerId'), netns: optional(body, 'netns') });
      return {};
    },
    'POST /v1/pods/check': async body => {
      const match = { containerId: text(body, 'containerId'), netns: optional(body, 'netns') };
      const pod = pods.find(match);
      if (pod === undefined) throw new PodNotFound(match.containerId);
      const repaired = await guard.check(pod);
      return { enrolled: pod.state.is === 'inside', repaired };
    },
    'POST /v1/pods/gc': async body => {
      const valid = body['validContainerIds'] ?? body['valid'];
      if (!Array.isArray(valid)) throw new BadRequest('validContainerIds must be a list');
      return { removed: await pods.collect(new Set(valid.map(String))) };
    },
    'POST /v1/enroll': async body => {
      mustTakePods();
      const workload = text(body, 'workload');
      if (!/^[^/]+\/[^/]+$/.test(workload))
        throw new BadRequest(`workload '${workload}' is not <namespace>/<name>`);
      const known = pods.find({ netns: text(body, 'netns') });
      return pods.force(
        { netns: text(body, 'netns'), workload, ips: known?.ips ?? [], containerId: '' },
        'in',
      );
    },
    'POST /v1/unenroll': async body => {
      const netns = text(body, 'netns');
      const pod = pods.find({ netns });
      if (pod === undefined) throw new PodNotFound(netns);
      return pods.force({ netns, workload: pod.workload, ips: pod.ips, containerId: pod.containerId }, 'out');
    },
    'GET /v1/status': async () => status(),
  };
}

function text(body: Body, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value === '' || value.length > 4096) {
    throw new BadRequest(`${field} must be a text of 1 to 4,096 characters`);
  }
  return value;
}

function optional(body: Body, field: string): string | undefined {
  return body[field] === undefined || body[field] === '' ? undefined : text(body, field);
}

function texts(body: Body, field: string): string[] {
  const value = body[field] ?? [];
  if (!Array.isArray(value) || value.length > 64)
    throw new BadRequest(`${field} must be a list of at most 64 texts`);
  return value.map(item => {
    if (typeof item !== 'string') throw new BadRequest(`${field} must be a list of texts`);
    return item;
  });
}
