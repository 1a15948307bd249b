import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Issued, MeshClient } from '#api';
import { silentLog } from '#base/log.ts';
import { NodeIdentity } from '../../../../node-proxy/identity/node-identity.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const LIFE_MS = 1_000_000;

/** Answers as namerd would; says how it was asked. */
class FakeNamerd {
  readonly asked: string[] = [];
  away = false;
  readonly #clock: FakeClock;
  #answered = Promise.withResolvers<void>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  join(): Promise<Issued> {
    return this.#answer('join');
  }

  certificate(): Promise<Issued> {
    return this.#answer('certificate');
  }

  setCredentials(): void {
    this.asked.push('use');
  }

  /** Resolves when the next question was answered and the answer taken. */
  async answered(): Promise<void> {
    await this.#answered.promise;
    await new Promise(resolve => setImmediate(resolve));
  }

  async #answer(how: string): Promise<Issued> {
    this.asked.push(how);
    this.#answered.resolve();
    this.#answered = Promise.withResolvers<void>();
    if (this.away) throw new Error('nobody there');
    const now = this.#clock.now();
    return {
      chain: 'PEM',
      notBefore: now,
      notAfter: now + LIFE_MS,
      trust: { trustDomain: 'mesh.test', roots: [] },
    };
  }
}

describe('the identity of a node', () => {
  let folder: string;
  let clock: FakeClock;
  let namerd: FakeNamerd;
  let identity: NodeIdentity;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'nmt-'));
    writeFileSync(join(folder, 'token'), 'a token\n');
  });

  after(() => rmSync(folder, { recursive: true }));

  beforeEach(() => {
    clock = new FakeClock();
    namerd = new FakeNamerd(clock);
    identity = new NodeIdentity({
      node: 'node-1',
      trustDomain: 'mesh.test',
      tokenFile: join(folder, 'token'),
      client: namerd as unknown as MeshClient,
      clock,
      log: silentLog,
      onIssued: () => {},
    });
  });

  const next = async (act: () => void) => {
    const answered = namerd.answered();
    act();
    await answered;
  };

  it('is joined once by token and renewed at half of its life', async () => {
    await next(() => identity.start());
    await identity.tried;
    clock.advance(LIFE_MS / 2 - 1);
    assert.deepEqual(namerd.asked, ['join', 'use']);
    await next(() => clock.advance(1));
    assert.deepEqual(namerd.asked, ['join', 'use', 'certificate', 'use']);
    assert.equal(identity.notAfter, clock.now() + LIFE_MS);
  });

  it('is tried when namerd turns out to be away, and joined when it comes', async () => {
    namerd.away = true;
    await next(() => identity.start());
    await identity.tried;
    assert.equal(identity.problem, 'nobody there');
    namerd.away = false;
    await next(() => clock.advance(1_000));
    assert.equal(identity.problem, undefined);
  });

  it('stays good until it expires when it can not be renewed', async () => {
    await next(() => identity.start());
    namerd.away = true;
    await next(() => clock.advance(LIFE_MS / 2));
    assert.equal(identity.problem, undefined);
    clock.advance(LIFE_MS / 2);
    // The last of the retries that fell due is answered in this turn or the next.
    await next(() => clock.advance(10_000));
    await next(() => clock.advance(10_000));
    assert.equal(identity.problem, 'nobody there');
    assert.equal(namerd.asked.at(-1), 'join', 'an expired certificate renews nothing');
  });

  it('is joined anew when namerd does not take it, once for many refusals', async () => {
    await next(() => identity.start());
    await next(() => {
      identity.refused();
      identity.refused();
    });
    assert.deepEqual(namerd.asked, ['join', 'use', 'join', 'use']);
    namerd.away = true;
    await next(() => identity.refused());
    identity.refused();
    identity.refused();
    assert.equal(namerd.asked.filter(how => how === 'join').length, 3, 'the retry that is planned is enough');
  });

  it('is renewed within the time given when the roots change', async () => {
    await next(() => identity.start());
    await next(() => {
      identity.renew(1_000);
      clock.advance(1_000);
    });
    assert.deepEqual(namerd.asked, ['join', 'use', 'certificate', 'use']);
    clock.advance(LIFE_MS / 2 - 1);
    assert.equal(namerd.asked.length, 4);
  });

  it('asks no more when it is closed', async () => {
    await next(() => identity.start());
    identity.close();
    clock.advance(LIFE_MS);
    identity.refused();
    assert.deepEqual(namerd.asked, ['join', 'use']);
  });
});
