/** What can go wrong between a node proxy and namerd. Refusals by namerd keep namerd's code, text and advice. */

import { type Culprit, MeshError } from '#base/errors.ts';

export type MeshFailure =
  /** No connection, or it broke. */
  | 'NM_MESH_UNREACHABLE'
  /** Whoever answered is not namerd of this mesh. */
  | 'NM_MESH_IDENTITY'
  /** Our own certificate was not accepted, or we have none yet. */
  | 'NM_MESH_CREDENTIALS'
  /** Connected, but nothing was heard for SILENCE_MS. */
  | 'NM_MESH_SILENT'
  /** A line or an answer that the mesh API does not have. */
  | 'NM_MESH_PROTOCOL'
  /** No answer in time. */
  | 'NM_MESH_TIMEOUT'
  /** The client was closed while somebody waited. */
  | 'NM_MESH_CLOSED';

const NEXT: Readonly<Record<MeshFailure, string>> = {
  NM_MESH_UNREACHABLE: 'Check that namerd runs and that its mesh interface can be reached from this node.',
  NM_MESH_IDENTITY:
    "Compare the roots and the trust domain in the node's configuration with those of namerd.",
  NM_MESH_CREDENTIALS: 'Check that this node has joined and that its clock is right.',
  NM_MESH_SILENT: 'Check the network between this node and namerd, and the load of namerd.',
  NM_MESH_PROTOCOL: 'Compare the versions of namerd and of this proxy.',
  NM_MESH_TIMEOUT: 'Check the load of namerd.',
  NM_MESH_CLOSED: 'Nothing: this process is shutting down.',
};

export class MeshApiError extends MeshError {
  /** HTTP status when namerd refused, else undefined. */
  readonly status: number | undefined;

  private constructor(
    code: string,
    message: string,
    details: { by: Culprit; next?: string; cause?: unknown; status?: number },
  ) {
    super(code, message, details);
    this.status = details.status;
  }

  static failure(code: MeshFailure, message: string, cause?: unknown): MeshApiError {
    return new MeshApiError(code, message, { by: 'mesh', next: NEXT[code], cause });
  }

  /** @param body namerd's `{code, message, by, next}`; anything else is reported as such. */
  static refusal(status: number, body: unknown): MeshApiError {
    const { code, message, by, next } = (body ?? {}) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string')
      return new MeshApiError('NM_MESH_PROTOCOL', `namerd answered with status ${status} and no reason`, {
        by: 'mesh',
        next: NEXT.NM_MESH_PROTOCOL,
        status,
      });
    return new MeshApiError(code, message, {
      by: isCulprit(by) ? by : 'mesh',
      status,
      ...(typeof next === 'string' ? { next } : {}),
    });
  }
}

function isCulprit(text: unknown): text is Culprit {
  return (
    text === 'client' || text === 'upstream' || text === 'mesh' || text === 'policy' || text === 'config'
  );
}
