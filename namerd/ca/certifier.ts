/**
 * Who may have which certificate. A node proves itself by its join token, later by its own certificate; it gets the
 * identities of workloads that run on it, and no other, so that a node that falls can only pretend to be what it ran.
 */

import type { KeyObject } from 'node:crypto';
import type { CertificateRequest, Issued, JoinRequest } from '#api';
import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import {
  generateKey,
  isSpiffeSegment,
  issueCertificate,
  namerdId,
  nodeId,
  TrustError,
  tryParseSpiffe,
  verifyCsr,
} from '#trust';
import type { Authority } from './authority.ts';
import { CaError, CaRefusal } from './errors.ts';
import { IssueQueue } from './issue-queue.ts';
import { type JoinTokens, unknownNode } from './join-tokens.ts';
import { type Rate, RateLimit } from './rate-limit.ts';

export interface Placement {
  /** Does the registry place a workload with this SPIFFE id on this node? */
  nodeRuns(node: string, identity: string): boolean;
}

export interface CertifierLimits {
  /** Certificates by node: a full node that starts needs one for each identity at once. */
  perNode: Rate;
  /** Failed joins by address of the caller and node. */
  failedJoins: Rate;
  /**
   * Failed joins by address alone, whatever the node. Looser: pods and their node, or all nodes behind one
   * translated address, are one caller here, and one of them must not easily use up the tries of all.
   */
  failedJoinsPerAddress: Rate;
  /** Requests that wait for their turn. */
  queue: number;
}

export const CERTIFIER_LIMITS: CertifierLimits = {
  perNode: { burst: 1000, perSecond: 20 },
  failedJoins: { burst: 10, perSecond: 0.2 },
  failedJoinsPerAddress: { burst: 1000, perSecond: 20 },
  queue: 8192,
};

export interface CertifierOptions {
  authority: Authority;
  trustDomain: string;
  ttlMs: number;
  tokens: JoinTokens;
  placement: Placement;
  clock: Clock;
  log: Logger;
  limits?: CertifierLimits;
}

/** Backdating for clocks that are behind ours, unless the certificate itself is shorter-lived than that. */
const MAX_SKEW = 5 * 60_000;

export class Certifier {
  readonly trustDomain: string;
  readonly authority: Authority;
  readonly #options: CertifierOptions;
  readonly #queue: IssueQueue;
  readonly #perNode: RateLimit;
  readonly #failedJoins: RateLimit;
  readonly #failedJoinsPerAddress: RateLimit;

  constructor(options: CertifierOptions) {
    const { perNode, failedJoins, failedJoinsPerAddress, queue } = options.limits ?? CERTIFIER_LIMITS;
    this.#options = options;
    this.trustDomain = options.trustDomain;
    this.authority = options.authority;
    this.#queue = new IssueQueue(queue);
    this.#perNode = new RateLimit(perNode, options.clock);
    this.#failedJoins = new RateLimit(failedJoins, options.clock);
    this.#failedJoinsPerAddress = new RateLimit(failedJoinsPerAddress, options.clock);
  }

  /** Is this node still configured? One that was removed loses its standing at once. */
  knows(node: string): boolean {
    return this.#options.tokens.has(node);
  }

  /**
   * A node's first certificate, for its join token.
   * @param from the caller's address, for counting failures.
   * @throws CaRefusal NM_CA_BAD_REQUEST, NM_CA_RATE, NM_CA_NODE_UNKNOWN, NM_CA_TOKEN, NM_CA_BAD_CSR, NM_CA_KEY_TYPE, NM_CA_BUSY
   */
  async join(request: JoinRequest, from: string): Promise<Issued> {
    const { node, token, csr } = request;
    if (
      typeof node !== 'string' ||
      typeof token !== 'string' ||
      typeof csr !== 'string' ||
      !isSpiffeSegment(node)
    )
      throw new CaRefusal('NM_CA_BAD_REQUEST', "a join needs 'node', 'token' and 'csr', all text");
    if (!this.#failedJoinsPerAddress.allows(from))
      throw new CaRefusal('NM_CA_RATE', `too many joins from ${from} have failed`);
    // Names of nodes that do not exist are the caller's invention: no memory for them.
    const known = this.knows(node);
    const caller = `${from} ${node}`;
    if (known && !this.#failedJoins.allows(caller))
      throw new CaRefusal('NM_CA_RATE', `too many joins of node '${node}' from ${from} have failed`);
    try {
      this.#options.tokens.check(node, token);
    } catch (error) {
      this.#failedJoinsPerAddress.take(from);
      if (known) this.#failedJoins.take(caller);
      this.#options.log.warn({ err: error, node, from }, 'refused a join');
      throw error;
    }
    return this.#issue(node, nodeId(this.trustDomain, node), csr);
  }

  /**
   * A certificate for a workload of the node, or the node's own again.
   * @param node whom the caller's certificate names.
   * @throws CaRefusal NM_CA_BAD_REQUEST, NM_CA_NODE_UNKNOWN, NM_CA_BAD_IDENTITY, NM_CA_TRUST_DOMAIN, NM_CA_NOT_ON_NODE,
   *   NM_CA_BAD_CSR, NM_CA_KEY_TYPE, NM_CA_RATE, NM_CA_BUSY
   */
  async certificate(node: string, { identity, csr }: CertificateRequest): Promise<Issued> {
    if (typeof identity !== 'string' || typeof csr !== 'string')
      throw new CaRefusal('NM_CA_BAD_REQUEST', "a certificate needs 'identity' and 'csr', both text");
    if (!this.knows(node)) throw unknownNode(node);
    try {
      this.#authorize(node, identity);
    } catch (error) {
      this.#options.log.warn({ err: error, node }, 'refused a certificate');
      throw error;
    }
    return this.#issue(node, identity, csr);
  }

  /** namerd's own, for its servers; the key is new each time. */
  async ownCertificate(): Promise<Issued & { keyPem: string }> {
    const { publicKey, privateKeyPem } = await generateKey();
    return { ...this.#sign(namerdId(this.trustDomain), publicKey), keyPem: privateKeyPem };
  }

  #authorize(node: string, identity: string): void {
    const id = tryParseSpiffe(identity);
    if (id === undefined)
      throw new CaRefusal(
        'NM_CA_BAD_IDENTITY',
        `${JSON.stringify(identity.slice(0, 200))} is no identity of a mesh`,
      );
    if (id.trustDomain !== this.trustDomain)
      throw new CaRefusal('NM_CA_TRUST_DOMAIN', `${identity} is not in the trust domain ${this.trustDomain}`);
    if (identity === nodeId(this.trustDomain, node)) return;
    if (id.kind !== 'workload')
      throw new CaRefusal('NM_CA_BAD_IDENTITY', `node '${node}' may not have the identity ${identity}`);
    if (!this.#options.placement.nodeRuns(node, identity))
      throw new CaRefusal(
        'NM_CA_NOT_ON_NODE',
        `no workload with the identity ${identity} is on node '${node}'`,
      );
  }

  #issue(node: string, identity: string, csr: string): Promise<Issued> {
    if (!this.#perNode.take(node))
      throw new CaRefusal('NM_CA_RATE', `node '${node}' asks for too many certificates`);
    return this.#queue.run(() => this.#sign(identity, keyOf(csr)));
  }

  #sign(identity: string, publicKey: KeyObject): Issued {
    const { clock, ttlMs } = this.#options;
    const { issuer, intermediates, notAfter: end } = this.authority.signing;
    // Whole seconds, as certificates have them, so that what is told is what is in there.
    const now = Math.floor(clock.now() / 1000) * 1000;
    const notBefore = now - Math.floor(Math.min(MAX_SKEW, ttlMs / 4) / 1000) * 1000;
    const notAfter = Math.min(now + Math.ceil(ttlMs / 1000) * 1000, end);
    if (end <= now)
      throw new CaError(
        'NM_CA_STATE',
        `the authority's certificate expired at ${new Date(end).toISOString()}`,
        "Renew 'rootCert' of the mesh interface.",
      );
    const certificate = issueCertificate({ issuer, publicKey, uri: identity, notBefore, notAfter });
    return { chain: certificate + intermediates, trust: this.authority.trust.current, notBefore, notAfter };
  }
}

function keyOf(csr: string): KeyObject {
  try {
    return verifyCsr(csr).publicKey;
  } catch (error) {
    const keyType = error instanceof TrustError && error.code === 'NM_TRUST_KEY_TYPE';
    throw new CaRefusal(keyType ? 'NM_CA_KEY_TYPE' : 'NM_CA_BAD_CSR', messageOf(error), error);
  }
}
