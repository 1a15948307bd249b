/**
 * How this node proves itself to namerd: a join token first, then a certificate of its own, renewed at
 * half-life over the connection that the old one opened. The key stays in memory, so a new process joins again; so
 * does one whose certificate is not taken any more.
 */

import { readFileSync } from 'node:fs';
import type { Issued, MeshClient } from '#api';
import { Backoff } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { createCsr, generateKey, nodeId, renewAtMs } from '#trust';

export interface NodeIdentityOptions {
  node: string;
  trustDomain: string;
  tokenFile: string;
  client: MeshClient;
  clock: Clock;
  log: Logger;
  /** Told with every certificate: the first one means that the node has joined. */
  onIssued: (issued: Issued) => void;
}

export class NodeIdentity {
  problem: string | undefined = 'not joined yet';
  /** Fulfilled when namerd has answered for the first time, or could not be asked; {@link problem} says which. */
  readonly tried: Promise<void>;
  readonly #tried = Promise.withResolvers<void>();
  #notAfter = 0;
  readonly #options: NodeIdentityOptions;
  readonly #backoff = new Backoff({ minMs: 100, maxMs: 5_000 });
  /** `asking`: an answer is awaited; `retrying`: the last one was bad. */
  #state: 'idle' | 'asking' | 'retrying' = 'idle';
  #mustJoin = true;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: NodeIdentityOptions) {
    this.#options = options;
    this.tried = this.#tried.promise;
  }

  /** Milliseconds since the epoch; 0 before the node has joined. */
  get notAfter(): number {
    return this.#notAfter;
  }

  start(): void {
    void this.#obtain();
  }

  /** The roots changed: the certificate is renewed soon, so that it depends on none that goes away. */
  renew(spreadMs: number): void {
    if (this.#state !== 'idle' || this.#notAfter === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(Math.random() * spreadMs, () => void this.#obtain());
  }

  /** namerd does not take the certificate (any more), as when its root has gone meanwhile: only the token is left. */
  refused(): void {
    this.#mustJoin = true;
    if (this.#state !== 'idle' || this.#notAfter === 0) return;
    this.#timer?.cancel();
    void this.#obtain();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #obtain(): Promise<void> {
    const { node, trustDomain, client, clock, log, onIssued } = this.#options;
    if (this.#closed) return;
    this.#state = 'asking';
    try {
      const key = await generateKey();
      const csr = createCsr(key);
      const issued =
        this.#mustJoin || this.#notAfter <= clock.now()
          ? await client.join({ node, token: this.#token(), csr })
          : await client.certificate(nodeId(trustDomain, node), csr);
      if (this.#closed) return;
      this.#state = 'idle';
      this.#mustJoin = false;
      this.problem = undefined;
      this.#notAfter = issued.notAfter;
      this.#backoff.reset();
      client.setCredentials({ keyPem: key.privateKeyPem, chainPem: issued.chain });
      onIssued(issued);
      const dueMs = Math.max(renewAtMs(issued.notBefore, issued.notAfter) - clock.now(), 1_000);
      this.#timer = clock.after(dueMs, () => void this.#obtain());
    } catch (error) {
      if (this.#closed) return;
      this.#state = 'retrying';
      // The certificate in use stays until it expires.
      if (this.#notAfter <= clock.now()) this.problem = messageOf(error);
      // A namerd that is not there yet is asked often; a refusal changes only when somebody acts.
      const waitMs = this.#backoff.nextMs();
      log.warn({ err: error, retryInMs: Math.round(waitMs) }, 'this node got no certificate');
      this.#timer = clock.after(waitMs, () => void this.#obtain());
    } finally {
      this.#tried.resolve();
    }
  }

  #token(): string {
    const { tokenFile } = this.#options;
    try {
      return readFileSync(tokenFile, 'utf8').trim();
    } catch (cause) {
      throw new MeshError('NM_NO_JOIN_TOKEN', `the join token file ${tokenFile} can't be read`, {
        by: 'config',
        cause,
        next: 'Write the token that namerd has for this node into namerd.joinTokenFile.',
      });
    }
  }
}
