/** Why a pod can't be taken, or is not there. */

import { MeshError } from '#base/errors.ts';
import type { Pod } from './pod.ts';

export class UnknownWorkload extends MeshError {
  constructor(workload: string) {
    super('NM_UNKNOWN_WORKLOAD', `namerd's registry has no workload ${workload} on this node`, {
      by: 'config',
      next: 'Is its Workload document there, with spec.node naming this node? `namerctl get workload` shows it.',
    });
  }
}

export class PodNotFound extends MeshError {
  constructor(what: string) {
    super('NM_NO_SUCH_POD', `no pod ${what} is known here`, {
      by: 'client',
      next: '`node-proxy status` lists the pods.',
    });
  }
}

export class PodIsAnother extends MeshError {
  constructor(pod: Pod, wanted: string) {
    super('NM_POD_IS_ANOTHER', `${pod.netns.path} is in the mesh as ${pod.workload}, not as ${wanted}`, {
      by: 'client',
      next: `Is the path right? \`node-proxy unenroll --netns ${pod.netns.path}\` lets it go first.`,
    });
  }
}

/** The runtime tries again, with the process that took over. */
export class ProxyEnds extends MeshError {
  constructor() {
    super('NM_NOT_READY', 'this node-proxy ends or was replaced: it takes no pods any more', {
      by: 'mesh',
      next: 'Try again: the process that replaces it answers on the same socket.',
    });
  }
}
