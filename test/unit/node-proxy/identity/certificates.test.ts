import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Issued } from '#api';
import { silentLog } from '#base/log.ts';
import { Certificates, CertificateUnavailable } from '../../../../node-proxy/identity/certificates.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const LIFE_MS = 1_000_000;
const A = 'spiffe://mesh.test/ns/shop/sa/a';
const B = 'spiffe://mesh.test/ns/shop/sa/b';

describe('the certificates of a node', () => {
  let clock: FakeClock;
  let certificates: Certificates;
  let away: boolean;
  let asked: string[];
  let told: string[];

  beforeEach(() => {
    clock = new FakeClock();
    // What the instance of the test before still does must not be taken for ours.
    const [questions, answers]: [string[], string[]] = [[], []];
    [away, asked, told] = [false, questions, answers];
    certificates = new Certificates({
      authority: {
        certificate: async (identity): Promise<Issued> => {
          questions.push(identity);
          if (away) throw new Error('nobody there');
          const now = clock.now();
          const trust = { trustDomain: 'mesh.test', roots: [] };
          return { chain: `PEM ${questions.length}`, notBefore: now, notAfter: now + LIFE_MS, trust };
        },
      },
      clock,
      log: silentLog,
      onCredential: ({ identity, chainPem }) => answers.push(`${identity} ${chainPem}`),
      onForgotten: identity => answers.push(`${identity} gone`),
    });
  });

  /** Keys are made off the thread: ask until it holds. */
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise(resolve => setImmediate(resolve));
  };

  it('are asked for once per identity, and forgotten with its last pod', async () => {
    certificates.hold(A);
    certificates.hold(A);
    await certificates.ready(A, 1_000);
    assert.deepEqual([asked, told], [[A], [`${A} PEM 1`]]);
    certificates.release(A);
    assert.equal(certificates.list().length, 1);
    certificates.release(A);
    assert.deepEqual(told.at(-1), `${A} gone`);
    clock.advance(LIFE_MS);
    assert.equal(asked.length, 1);
  });

  it('are renewed at half of their life, again and again', async () => {
    certificates.hold(A);
    await certificates.ready(A, 1_000);
    for (let renewal = 2; renewal < 5; renewal++) {
      clock.advance(LIFE_MS / 2 - 1);
      assert.equal(told.length, renewal - 1);
      clock.advance(1);
      await until(() => told.length === renewal);
    }
    assert.deepEqual(certificates.list(), [
      { identity: A, notAfter: clock.now() + LIFE_MS, problem: undefined },
    ]);
  });

  it('stay in use when they can not be renewed, and are renewed as soon as namerd is back', async () => {
    certificates.hold(A);
    await certificates.ready(A, 1_000);
    away = true;
    clock.advance(LIFE_MS / 2);
    await until(() => certificates.list()[0]?.problem !== undefined);
    assert.deepEqual(told, [`${A} PEM 1`]);
    away = false;
    certificates.retry();
    await until(() => told.length === 2);
    assert.equal(certificates.list()[0]?.problem, undefined);
  });

  it('are missed with a reason when there are none in time', async () => {
    away = true;
    certificates.hold(A);
    const ready = certificates.ready(A, 500);
    await until(() => certificates.list()[0]?.problem !== undefined);
    clock.advance(500);
    await assert.rejects(ready, (error: unknown) => {
      assert.ok(error instanceof CertificateUnavailable);
      return error.code === 'NM_CERTIFICATE_UNAVAILABLE' && error.cause instanceof Error;
    });
  });

  it('that were asked for before the roots changed are renewed all the same, and only once', async () => {
    certificates.hold(A);
    await certificates.ready(A, 1_000);
    away = true;
    clock.advance(LIFE_MS / 2);
    away = false;
    certificates.renewAll(1_000);
    await until(() => told.length === 2);
    clock.advance(1_000);
    await until(() => told.length === 3);
    assert.equal(clock.timers, 1);
    certificates.release(A);
    assert.equal(clock.timers, 0);
  });

  it('are all renewed within the time given when the roots change, each once', async () => {
    for (const identity of [A, B]) certificates.hold(identity);
    await Promise.all([certificates.ready(A, 1_000), certificates.ready(B, 1_000)]);
    certificates.renewAll(10_000);
    certificates.renewAll(10_000);
    clock.advance(10_000);
    await until(() => told.length === 4);
    clock.advance(LIFE_MS / 2 - 1);
    assert.equal(asked.length, 4);
  });
});
