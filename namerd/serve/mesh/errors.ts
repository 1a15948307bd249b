/** Refusals of the mesh API's server. */

import { type Culprit, MeshError } from '#base/errors.ts';

const NEXT = {
  NM_MESH_CERTIFICATE: "Join with the node's token; check the clocks and the trust domain of both sides.",
  NM_MESH_PATH: 'POST to /mesh/v1/join, /mesh/v1/certificates or /mesh/v1/watch.',
  NM_MESH_BODY: 'Send a JSON object with the fields that the mesh API names.',
  NM_MESH_KEY:
    'Watch an address as ip:port, a name as a path, your own node, or the trust bundle with an empty key.',
  NM_MESH_LIMIT: 'Watch less, or find out why so much is watched.',
  NM_MESH_STATE_SIZE: 'Split the service, or narrow the name.',
} as const;

export class MeshRefusal extends MeshError {
  readonly status: number;

  constructor(code: keyof typeof NEXT, status: number, message: string, { by = 'client' as Culprit } = {}) {
    super(code, message, { by, next: NEXT[code] });
    this.status = status;
  }
}
