/** An authority with a root of its own, made on first start and kept in a directory; see root-files for its layout. */

import type { KeyObject } from 'node:crypto';
import type { TrustState } from '#api';
import type { Clock, Timer } from '#base/clock.ts';
import { InvariantError, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { Cell } from '#base/watch.ts';
import { generateKey, issueCertificate, parseCertificates, readPrivateKey } from '#trust';
import type { Authority, AuthorityStatus, RootPhase, RootStatus, Signing } from './authority.ts';
import { CaError } from './errors.ts';
import { RootFiles, type StoredRoots } from './root-files.ts';
import {
  advance,
  introduce,
  MAX_RETIRING,
  nextStepAt,
  type Root,
  type Rotation,
  type RotationDelays,
  trusted,
} from './rotation.ts';

const HOUR = 3_600_000;
const ROOT_LIFETIME = 10 * 365 * 24 * HOUR;
/** A root that has less than this left replaces itself. */
const ROTATE_BEFORE_END = 365 * 24 * HOUR;
/** For clocks that are behind ours. */
const BACKDATE = HOUR;
/** Certificates that were asked for at the moment of the switch, and clocks that are not exact. */
const RETIRE_MARGIN = 10 * 60_000;
/** After a start, nodes must hear of the incoming root before it signs, however long the pause was. */
const RESTART_GRACE = 60_000;
/** Wall clocks jump and timers have a maximum: never sleep longer than this. */
const LONGEST_SLEEP = HOUR;
const RETRY_AFTER_FAILURE = 60_000;

export interface OwnAuthorityOptions {
  dir: string;
  trustDomain: string;
  /** Lifetime of the longest certificate that is issued. */
  certificateTtlMs: number;
  /** From trusting a new root to signing with it; one hour by default. */
  overlapMs?: number;
  clock: Clock;
  log: Logger;
}

/** @throws CaError NM_CA_STATE when the directory's content can't be used; it is never overwritten. */
export async function openOwnAuthority(options: OwnAuthorityOptions): Promise<Authority> {
  const { certificateTtlMs, overlapMs = HOUR } = options;
  const delays = { overlapMs, retireMs: certificateTtlMs + RETIRE_MARGIN };
  const files = new RootFiles(options.dir);
  const opened = await restore(files, await files.load(), options, delays);
  const authority = new OwnAuthority(options, files, delays, opened);
  await authority.catchUp();
  return authority;
}

interface Opened {
  rotation: Rotation;
  key: KeyObject;
  nextKey: KeyObject | undefined;
}

class OwnAuthority implements Authority {
  readonly trust: Cell<TrustState>;
  signing: Signing;
  readonly #options: OwnAuthorityOptions;
  readonly #files: RootFiles;
  readonly #delays: RotationDelays;
  #rotation: Rotation;
  #nextKey: KeyObject | undefined;
  #timer: Timer | undefined;
  /** Steps run one after the other: each is several file operations. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: OwnAuthorityOptions, files: RootFiles, delays: RotationDelays, opened: Opened) {
    this.#options = options;
    this.#files = files;
    this.#delays = delays;
    this.#rotation = opened.rotation;
    this.#nextKey = opened.nextKey;
    this.signing = signingOf(opened.rotation.signing, opened.key);
    this.trust = new Cell(trustOf(options.trustDomain, opened.rotation));
  }

  status(): AuthorityStatus {
    const { signing, incoming, retiring } = this.#rotation;
    return {
      trustDomain: this.#options.trustDomain,
      kind: 'own',
      roots: [
        rootStatus(signing, 'signing', incoming?.signsAt),
        ...(incoming === undefined ? [] : [rootStatus(incoming.root, 'incoming', incoming.signsAt)]),
        ...retiring.map(({ root, until }) => rootStatus(root, 'retiring', until)),
      ],
    };
  }

  rotate(): Promise<AuthorityStatus> {
    return this.#inTurn(async () => {
      if (this.#rotation.incoming !== undefined) throw alreadyRotating(this.#rotation.incoming.signsAt);
      if (this.#rotation.retiring.length >= MAX_RETIRING) throw tooManyRetiring();
      const { clock, log, trustDomain } = this.#options;
      const { root, key, keyPem } = await makeRoot(trustDomain, clock.now());
      const next = introduce(this.#rotation, root, clock.now(), this.#delays);
      // A key without its root is ignored at the next start, a root without a time starts its overlap over.
      await this.#files.writeNextKey(keyPem);
      await this.#save(next);
      this.#nextKey = key;
      this.#publish(next);
      log.info({ root: root.certificate.fingerprint256 }, 'a new root is trusted and will sign later');
      return this.status();
    });
  }

  /** Takes every step that is due, then sleeps until the next one. */
  catchUp(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return;
      let sleep = RETRY_AFTER_FAILURE;
      try {
        while (await this.#step());
        this.#replaceEndingRoot();
        sleep = nextStepAt(this.#rotation) - this.#options.clock.now();
      } catch (error) {
        this.#options.log.error({ err: error }, 'rotating the root failed; the state before stays in force');
      }
      this.#sleep(sleep);
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #sleep(ms: number): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(Math.min(Math.max(ms, 0), LONGEST_SLEEP), () => {
      void this.catchUp();
    });
  }

  #replaceEndingRoot(): void {
    const { signing, incoming } = this.#rotation;
    const left = signing.certificate.validToDate.getTime() - this.#options.clock.now();
    if (left >= ROTATE_BEFORE_END || incoming !== undefined) return;
    this.rotate().catch(error =>
      this.#options.log.error({ err: error }, 'the root ends soon and can not be replaced'),
    );
  }

  async #step(): Promise<boolean> {
    const due = advance(this.#rotation, this.#options.clock.now(), this.#delays);
    if (due === undefined) return false;
    if (due.step === 'switch') {
      const key = this.#nextKey;
      if (key === undefined) throw new InvariantError('an incoming root has no key');
      await this.#files.promoteNextKey();
      // From here on the disk says that the new root signs; whatever fails below, memory must say the same.
      this.#nextKey = undefined;
      this.signing = signingOf(due.state.signing, key);
    }
    this.#publish(due.state);
    await this.#save(due.state);
    this.#options.log.info(
      { step: due.step, roots: due.state.retiring.length + 1 },
      'the root rotation went on',
    );
    return true;
  }

  async #save(state: Rotation): Promise<void> {
    await this.#files.writeRoots(
      trusted(state)
        .map(({ pem }) => pem)
        .join(''),
    );
    const retiresAt: Record<string, number> = {};
    for (const { root, until } of state.retiring) retiresAt[root.certificate.fingerprint256] = until;
    await this.#files.writeTimes({
      ...(state.incoming === undefined ? {} : { signsAt: state.incoming.signsAt }),
      retiresAt,
    });
  }

  #publish(state: Rotation): void {
    this.#rotation = state;
    this.trust.set(trustOf(this.#options.trustDomain, state));
    this.#sleep(nextStepAt(state) - this.#options.clock.now());
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Reads what is there, or makes a first root; finishes what a crash interrupted. */
async function restore(
  files: RootFiles,
  stored: StoredRoots,
  { trustDomain, clock, log, dir }: OwnAuthorityOptions,
  delays: RotationDelays,
): Promise<Opened> {
  const now = clock.now();
  const roots = stored.roots === undefined ? [] : parse(stored.roots, dir);
  if (stored.rootKey === undefined) {
    if (roots.length > 0)
      throw unusable(
        dir,
        'it has roots.pem but not root.key',
        'Restore root.key, or move roots.pem away to begin anew.',
      );
    const first = await makeRoot(trustDomain, now);
    await files.writeRootKey(first.keyPem);
    await files.writeRoots(first.root.pem);
    log.info({ dir, root: first.root.certificate.fingerprint256 }, 'made the first root');
    return {
      rotation: { signing: first.root, incoming: undefined, retiring: [] },
      key: first.key,
      nextKey: undefined,
    };
  }
  const key = readPrivateKey(stored.rootKey);
  const nextKey = stored.nextKey === undefined ? undefined : readPrivateKey(stored.nextKey);
  const found = roots.find(({ certificate }) => certificate.checkPrivateKey(key));
  if (found === undefined && roots.length > 0)
    throw unusable(
      dir,
      'no certificate in roots.pem belongs to root.key',
      'Restore the files of one moment.',
    );
  // A first start that was cut off after the key: its certificate can be made again.
  const signing = found ?? selfSigned(key, now, trustDomain);
  if (found === undefined) await files.writeRoots(signing.pem);
  const next = nextKey && roots.find(({ certificate }) => certificate.checkPrivateKey(nextKey));
  const { signsAt = now + delays.overlapMs, retiresAt } = stored.times;
  const grace = now + Math.min(RESTART_GRACE, delays.overlapMs);
  const incoming = next && { root: next, signsAt: Math.max(signsAt, grace) };
  const retiring = roots
    .filter(root => root !== signing && root !== next)
    .map(root => ({ root, until: retiresAt[root.certificate.fingerprint256] ?? now + delays.retireMs }));
  return { rotation: { signing, incoming, retiring }, key, nextKey: incoming && nextKey };
}

async function makeRoot(trustDomain: string, now: number) {
  const { privateKey, privateKeyPem } = await generateKey();
  return { root: selfSigned(privateKey, now, trustDomain), key: privateKey, keyPem: privateKeyPem };
}

function selfSigned(privateKey: KeyObject, now: number, trustDomain: string): Root {
  const pem = issueCertificate({
    issuer: 'self',
    privateKey,
    ca: { pathLength: 1 },
    commonName: `nodemesh root of ${trustDomain}`.slice(0, 64),
    notBefore: now - BACKDATE,
    notAfter: now + ROOT_LIFETIME,
  });
  const [certificate] = parseCertificates(pem);
  return { pem, certificate: certificate! };
}

function parse(pem: string, dir: string): Root[] {
  try {
    return parseCertificates(pem).map(certificate => ({ pem: certificate.toString(), certificate }));
  } catch (error) {
    throw unusable(
      dir,
      `roots.pem is unreadable: ${messageOf(error)}`,
      'Restore it from a node or a backup.',
    );
  }
}

function signingOf({ pem, certificate }: Root, privateKey: KeyObject): Signing {
  return {
    issuer: { certPem: pem, privateKey },
    intermediates: '',
    notAfter: certificate.validToDate.getTime(),
  };
}

function trustOf(trustDomain: string, state: Rotation): TrustState {
  return { trustDomain, roots: trusted(state).map(({ pem }) => pem) };
}

function rootStatus({ certificate }: Root, phase: RootPhase, phaseEndsAt: number | undefined): RootStatus {
  const { subject, fingerprint256: fingerprint, validToDate } = certificate;
  return { subject, fingerprint, phase, phaseEndsAt, notAfter: validToDate.getTime() };
}

function unusable(dir: string, why: string, next: string): CaError {
  return new CaError('NM_CA_STATE', `the authority in ${dir} can not be used: ${why}`, next);
}

function alreadyRotating(signsAt: number): CaError {
  const when = new Date(signsAt).toISOString();
  return new CaError(
    'NM_CA_ROTATION',
    `a new root is incoming already and signs from ${when} on`,
    'Wait until then.',
    { by: 'client' },
  );
}

function tooManyRetiring(): CaError {
  return new CaError(
    'NM_CA_ROTATION',
    `${MAX_RETIRING} old roots are still trusted`,
    'Wait until the oldest one has retired.',
    { by: 'client' },
  );
}
