/** Taking a pod into the mesh and letting it go, step by step; see the picture in pod.ts. */

import type { NodeWorkload } from '#api';
import type { Clock } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Capture, type CaptureOptions, captureRules } from '#capture';
import type { Certificates } from '../identity/certificates.ts';
import type { PodIdentity } from '../tunnel/index.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';
import type { Pod } from './pod.ts';
import { openPodSockets } from './pod-sockets.ts';

export interface EnrolmentParts {
  certificates: Certificates;
  workers: WorkerPool;
  capture: Capture;
  captureOptions: () => CaptureOptions;
  clock: Clock;
  log: Logger;
  /** Tells the workers of every pod inside; called between the steps. */
  announce: () => void;
  certificateTimeoutMs: number;
  /** namerd can't be asked for certificates now. */
  namerdAway: () => boolean;
}

/** How a pod comes in: as it is made, or while its application has connections already. */
export type Entry = 'new' | 'running';

export class EnrolmentFailed extends MeshError {
  constructor(pod: Pod, step: string, cause: unknown) {
    super('NM_ENROLMENT_FAILED', `${pod.workload} (${pod.netns.path}) was not enrolled: ${step} failed`, {
      by: 'mesh',
      cause,
      next: cause instanceof MeshError ? (cause.next ?? 'See the cause.') : 'See the cause.',
    });
  }
}

/**
 * A pod that the process before has captured is cut off until it is served. So it is served without a certificate
 * too, if there is none in time: what needs none works at once, the rest as soon as namerd issues it.
 * @throws EnrolmentFailed; the pod is as it was before.
 */
export async function join(
  pod: Pod,
  workload: NodeWorkload,
  entry: Entry,
  parts: EnrolmentParts,
): Promise<void> {
  const { certificates, workers, capture, clock, announce, log } = parts;
  const { identity } = workload;
  const who: PodIdentity = {
    id: pod.id,
    workload: pod.workload,
    namespace: pod.namespace,
    name: pod.name,
    identity,
    ips: pod.ips,
  };
  pod.state = { is: 'joining' };
  let step = 'the certificate';
  let served = false;
  certificates.hold(identity);
  try {
    try {
      const waits = pod.captured && parts.namerdAway() ? 0 : parts.certificateTimeoutMs;
      await certificates.ready(identity, waits);
    } catch (error) {
      if (!pod.captured) throw error;
      log.warn({ pod: pod.workload, err: error }, 'served without a certificate for now');
    }
    step = 'listening inside the pod';
    const fds = openPodSockets(pod.netns);
    pod.state = { is: 'joining', who };
    announce();
    served = true;
    await workers.serve(pod.id, fds);
    step = 'capture';
    pod.sparing = entry === 'running' && !pod.captured;
    await capture.apply(
      pod.netns.path,
      captureRules({ ...parts.captureOptions(), sparingOpenConnections: pod.sparing }),
    );
    pod.captured = true;
    pod.state = { is: 'inside', who, sinceMs: clock.now() };
  } catch (error) {
    pod.state = { is: 'outside', because: 'enrolment failed', problem: String(error) };
    announce();
    if (served) await workers.unserve(pod.id, 0);
    certificates.release(identity);
    throw new EnrolmentFailed(pod, step, error);
  }
}

/**
 * New connections of the pod go past the mesh at once. Its tunnel port goes on for `graceMs`, for peers that
 * have not heard yet.
 * @param netnsGone the namespace is being deleted: nothing is left to clean inside it.
 */
export async function leave(
  pod: Pod,
  netnsGone: boolean,
  graceMs: number,
  parts: EnrolmentParts,
): Promise<void> {
  if (pod.state.is !== 'inside') return;
  const { identity } = pod.state.who;
  const { capture, workers, certificates, announce, log } = parts;
  if (!netnsGone) {
    try {
      await capture.remove(pod.netns.path);
    } catch (error) {
      // Without listeners behind the rules the pod would be cut off: so it stays in the mesh.
      throw new MeshError('NM_UNENROL_FAILED', `capture of ${pod.workload} was not removed`, {
        by: 'mesh',
        cause: error,
      });
    }
  }
  pod.captured = false;
  pod.state = { is: 'leaving' };
  await workers.unserve(pod.id, netnsGone ? 0 : graceMs);
  pod.state = { is: 'outside', because: 'unenrolled' };
  announce();
  certificates.release(identity);
  log.info({ pod: pod.workload }, 'unenrolled');
}
