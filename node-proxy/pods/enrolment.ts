/** Taking a pod into the mesh and letting it go, step by step; see the picture in pod.ts. */

import type { NodeWorkload } from '#api';
import { type Clock, delay } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Capture, type CaptureOptions, captureRules } from '#capture';
import type { Certificates } from '../identity/certificates.ts';
import type { PodIdentity } from '../tunnel/index.ts';
import type { Workers } from '../workers/pool/workers.ts';
import type { Pod } from './pod.ts';
import { openPodSockets } from './pod-sockets.ts';

export interface EnrolmentParts {
  certificates: Certificates;
  workers: Pick<Workers, 'setPods' | 'serve' | 'unserve'>;
  capture: Capture;
  captureOptions: () => CaptureOptions;
  clock: Clock;
  log: Logger;
  /** Tells the workers of every pod inside; called between the steps. */
  announce: () => void;
  /** Tells namerd who is inside; settles when every peer has heard, or nobody can be told. */
  report: () => Promise<void>;
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
    const fds = openPodSockets(pod.netns, log);
    pod.state = { is: 'joining', who };
    announce();
    served = true;
    await workers.serve(pod.id, fds);
    step = 'capture';
    pod.sparing = entry === 'running' && !pod.captured;
    await capture.apply(
      pod.entrance,
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

/** Peers that hear later than this are answered for the grace, and refused after it. */
const HEARD_WITHIN_MS = 2_000;

/**
 * `unenrolled`: peers are told first, and answered meanwhile. `gone`: the namespace is being deleted, nothing is left
 * to clean inside it. `renamed`: comes back at once with another identity, so it stays captured.
 */
export type Leaving = 'unenrolled' | 'gone' | 'renamed';

/**
 * New connections of the pod go past the mesh at once. Connections that are open, and the tunnel port, for peers
 * that have not heard yet, go on for `graceMs`.
 * @throws MeshError NM_UNENROL_FAILED; the pod is inside as before.
 */
export async function leave(pod: Pod, why: Leaving, graceMs: number, parts: EnrolmentParts): Promise<void> {
  if (pod.state.is !== 'inside') return;
  const { who } = pod.state;
  const { capture, workers, certificates, announce, clock, log } = parts;
  if (why === 'unenrolled') {
    try {
      // The return path stays: without it the answers on open connections would not come back to the proxy.
      await capture.remove(pod.entrance, { keepReturnPath: true });
    } catch (error) {
      // Without listeners behind the rules the pod would be cut off: so it stays in the mesh.
      throw new MeshError('NM_UNENROL_FAILED', `capture of ${pod.workload} was not removed`, {
        by: 'mesh',
        cause: error,
      });
    }
  }
  pod.captured = why === 'renamed';
  pod.state = { is: 'leaving', who };
  if (why === 'unenrolled') await Promise.race([parts.report(), delay(clock, HEARD_WITHIN_MS)]);
  await workers.unserve(pod.id, why === 'unenrolled' ? graceMs : 0);
  if (why === 'unenrolled') {
    // What is left touches only marked packets of a proxy that is not there any more.
    await capture
      .remove(pod.entrance)
      .catch(error => log.warn({ pod: pod.workload, err: error }, 'remains of capture were not removed'));
  }
  pod.state = { is: 'outside', because: why };
  announce();
  certificates.release(who.identity);
  log.info({ pod: pod.workload, why }, 'left the mesh');
}
