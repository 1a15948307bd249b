/** What the CNI plugin and the local commands may ask of this proxy, as plain functions from request to answer. */

import { MeshError } from '#base/errors.ts';
import { PATHS, type PodAddAnswer, readPodAdd, readPodCheck, readPodDelete, readPodGc } from '#cni';
import type { CaptureGuard } from './capture-guard.ts';
import { PodNotFound } from './pod-error.ts';
import type { PodSet } from './pod-set.ts';
import { meshLabel } from './selection.ts';

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
  /** False until the pods of the process before are taken over: till then nobody knows who is there. */
  knowsPods: () => boolean;
  status: () => Promise<unknown>;
}

type Body = Readonly<Record<string, unknown>>;
export type LocalApi = Readonly<Record<string, (body: Body) => Promise<unknown>>>;

export function localApi({ pods, guard, notReady, knowsPods, status }: LocalApiParts): LocalApi {
  const refuse = (why: string) => {
    throw new MeshError('NM_NOT_READY', why, { by: 'mesh', next: 'Try again; see /ready.' });
  };
  const mustKnowPods = () => {
    if (!knowsPods()) refuse('node-proxy is still taking over its pods');
  };
  const mustTakePods = () => {
    const why = notReady();
    if (why !== undefined) refuse(`node-proxy takes no pods yet: ${why}`);
  };
  return {
    [`POST ${PATHS.add}`]: async (body): Promise<PodAddAnswer> => {
      mustTakePods();
      const { containerId, netns, ips, podNamespace, podName, labels } = readPodAdd(body);
      const workload = podName === '' ? '' : `${podNamespace}/${podName}`;
      const label = meshLabel(labels);
      const { enrolled, because } = await pods.add({ containerId, netns, ips, workload, label });
      return enrolled ? { enrolled } : { enrolled, reason: because };
    },
    [`POST ${PATHS.delete}`]: async body => {
      mustKnowPods();
      const { containerId, netns } = readPodDelete(body);
      await pods.remove({ containerId, netns: netns === '' ? undefined : netns });
      return {};
    },
    [`POST ${PATHS.check}`]: async body => {
      mustKnowPods();
      const { containerId, netns } = readPodCheck(body);
      const pod = pods.find({ containerId, netns });
      if (pod === undefined) throw new PodNotFound(containerId);
      const repaired = await guard.check(pod);
      return { enrolled: pod.state.is === 'inside', repaired };
    },
    [`POST ${PATHS.gc}`]: async body => {
      mustKnowPods();
      const { valid } = readPodGc(body);
      return { removed: await pods.collect(new Set(valid.map(({ containerId }) => containerId))) };
    },
    'POST /v1/enroll': async body => {
      mustTakePods();
      const workload = text(body, 'workload');
      if (!/^[^/]+\/[^/]+$/.test(workload))
        throw new BadRequest(`workload '${workload}' is not <namespace>/<name>`);
      const netns = text(body, 'netns');
      return pods.force({ netns, workload, ips: [], containerId: '' }, 'in');
    },
    'POST /v1/unenroll': async body => {
      mustKnowPods();
      const netns = text(body, 'netns');
      const pod = pods.find({ netns });
      if (pod === undefined) throw new PodNotFound(netns);
      return pods.force({ netns, workload: pod.workload, ips: [], containerId: '' }, 'out');
    },
    [`GET ${PATHS.status}`]: async () => status(),
  };
}

function text(body: Body, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value === '' || value.length > 4096) {
    throw new BadRequest(`${field} must be a text of 1 to 4,096 characters`);
  }
  return value;
}
