/** Refused requests for certificates, and an authority that can't do its work. Each refusal names the check that failed. */

import { type Culprit, MeshError } from '#base/errors.ts';

export type RefusalCode =
  | 'NM_CA_BAD_REQUEST'
  | 'NM_CA_TOKEN'
  | 'NM_CA_NODE_UNKNOWN'
  | 'NM_CA_BAD_IDENTITY'
  | 'NM_CA_TRUST_DOMAIN'
  | 'NM_CA_NOT_ON_NODE'
  | 'NM_CA_BAD_CSR'
  | 'NM_CA_KEY_TYPE'
  | 'NM_CA_RATE'
  | 'NM_CA_BUSY';

const NEXT: Readonly<Record<RefusalCode, string>> = {
  NM_CA_BAD_REQUEST: 'Send the JSON fields that the mesh API names.',
  NM_CA_TOKEN: "Compare the node's join token with the entry of this node in namerd's configuration.",
  NM_CA_NODE_UNKNOWN: "Add the node to 'nodes' of the mesh interface in namerd's configuration.",
  NM_CA_BAD_IDENTITY: 'Ask for spiffe://<trust domain>/ns/<namespace>/sa/<service account>.',
  NM_CA_TRUST_DOMAIN: 'Compare the trust domains in the configurations of the node and of namerd.',
  NM_CA_NOT_ON_NODE: 'Check that the registry has a workload with this service account on this node.',
  NM_CA_BAD_CSR: 'Send a PEM PKCS#10 request, signed by its own key.',
  NM_CA_KEY_TYPE: 'Use an ECDSA P-256 key.',
  NM_CA_RATE: 'Wait and try again; if this lasts, look for a caller that asks in a loop.',
  NM_CA_BUSY: 'Wait and try again: many certificates are being issued at this moment.',
};

/** A request that was understood and denied. */
export class CaRefusal extends MeshError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, cause?: unknown) {
    const by: Culprit = code === 'NM_CA_BUSY' ? 'mesh' : code === 'NM_CA_NOT_ON_NODE' ? 'policy' : 'client';
    super(code, message, { by, next: NEXT[code], cause });
  }
}

/** The authority's own files or configuration are unusable, or a rotation can't begin. */
export class CaError extends MeshError {
  constructor(
    code: 'NM_CA_STATE' | 'NM_CA_CONFIG' | 'NM_CA_ROTATION',
    message: string,
    next: string,
    { by = 'config', cause }: { by?: Culprit; cause?: unknown } = {},
  ) {
    super(code, message, { by, next, cause });
  }
}
