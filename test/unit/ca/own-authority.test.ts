import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { firstWhere } from '#base/watch.ts';
import { generateKey, issueCertificate, parseCertificates, verifyChain, workloadId } from '#trust';
import { type Authority, CaError, openOwnAuthority } from '../../../namerd/ca/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

const HOUR = 3_600_000;
const TTL = 24 * HOUR;
const base = mkdtempSync(join(tmpdir(), 'nodemesh-ca-'));
const key = await generateKey();
let clock: FakeClock;
let dir: string;
let number = 0;

beforeEach(() => {
  clock = new FakeClock();
  dir = join(base, String((number += 1)));
});
after(() => rmSync(base, { recursive: true }));

const open = (path = dir) =>
  openOwnAuthority({ dir: path, trustDomain: 'mesh.test', certificateTtlMs: TTL, clock, log: silentLog });

function issue(authority: Authority): string {
  const { issuer } = authority.signing;
  const uri = workloadId('mesh.test', 'a', 'b');
  return issueCertificate({
    issuer,
    publicKey: key.publicKey,
    uri,
    notBefore: clock.now(),
    notAfter: clock.now() + TTL,
  });
}

const accepted = (chain: string, authority: Authority) =>
  verifyChain(chain, authority.trust.current.roots, clock.now());
const phases = (authority: Authority) => authority.status().roots.map(({ phase }) => phase);
const refused = (code: string, text: RegExp) => (error: unknown) =>
  error instanceof CaError && error.code === code && text.test(error.message);

/** Lets the clock pass until as many roots as wanted are trusted. */
async function passUntil(authority: Authority, ms: number, roots: number): Promise<void> {
  const reached = firstWhere(
    authority.trust,
    state => state.roots.length === roots,
    AbortSignal.timeout(5000),
  );
  clock.advance(ms);
  await reached;
}

/** Lets the clock pass the switch; which root is first in the bundle tells that it happened. */
async function passSwitch(authority: Authority, ms: number): Promise<void> {
  const [before] = authority.trust.current.roots;
  const reached = firstWhere(authority.trust, state => state.roots[0] !== before, AbortSignal.timeout(5000));
  clock.advance(ms);
  await reached;
}

test('the first start makes a root that only its owner can read, and the next start uses it again', async () => {
  const first = await open();
  first.close();
  assert.equal(statSync(join(dir, 'root.key')).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.equal(readFileSync(join(dir, 'roots.pem'), 'utf8'), first.trust.current.roots.join(''));
  const again = await open();
  again.close();
  assert.deepEqual(again.trust.current, first.trust.current);
  assert.ok(accepted(issue(again), first));
  assert.deepEqual(phases(again), ['signing']);
});

test('a rotation never leaves anybody with a certificate that somebody else does not trust', async () => {
  const authority = await open();
  const old = issue(authority);
  const [oldRoot] = authority.trust.current.roots;
  await authority.rotate();
  assert.deepEqual(phases(authority), ['signing', 'incoming']);
  assert.equal(authority.signing.issuer.certPem, oldRoot);
  const bundleBeforeSwitch = authority.trust.current.roots;
  await assert.rejects(authority.rotate(), refused('NM_CA_ROTATION', /incoming already/));

  await passSwitch(authority, HOUR);
  assert.deepEqual(phases(authority), ['signing', 'retiring']);
  const fresh = issue(authority);
  assert.notEqual(authority.signing.issuer.certPem, oldRoot);
  assert.ok(verifyChain(fresh, bundleBeforeSwitch, clock.now()), 'who heard of the new root early trusts it');
  assert.ok(accepted(old, authority), 'what the old root signed is trusted');

  clock.advance(TTL);
  assert.equal(
    authority.trust.current.roots.length,
    2,
    'the last certificate of the old root could still be in use',
  );
  await passUntil(authority, HOUR, 1);
  assert.deepEqual(phases(authority), ['signing']);
  assert.ok(verifyChain(fresh, authority.trust.current.roots, clock.now() - 2 * HOUR));
  assert.throws(() => verifyChain(old, authority.trust.current.roots, clock.now() - 2 * HOUR));
  authority.close();
  assert.equal(clock.timers, 0);
});

test('a rotation survives a restart in every phase', async () => {
  const first = await open();
  await first.rotate();
  first.close();
  const second = await open();
  assert.deepEqual(second.status(), first.status());
  await passSwitch(second, HOUR);
  // The switch is on disk when the bundle is saved; status follows the memory, so wait for a second turn.
  await second.rotate();
  second.close();
  const third = await open();
  assert.deepEqual(third.status(), second.status());
  third.close();
});

test('an incoming root does not sign directly after a pause, however long it was', async () => {
  const first = await open();
  await first.rotate();
  first.close();
  clock.advance(30 * 24 * HOUR);
  const second = await open();
  assert.deepEqual(phases(second), ['signing', 'incoming']);
  await passSwitch(second, 60_000);
  second.close();
});

test('a crash between any two writes of a rotation loses nothing', async () => {
  const authority = await open();
  const old = issue(authority);
  const states: string[] = [];
  const keep = () => {
    const copy = join(base, `state-${number}-${states.length}`);
    cpSync(dir, copy, { recursive: true });
    states.push(copy);
  };
  keep();
  await authority.rotate();
  keep();
  await passSwitch(authority, HOUR);
  await authority.rotate(); // queued behind the switch, so that its files are written
  authority.close();
  keep();
  const [before = '', overlap = '', switched = ''] = states;
  const mixes: [string, Record<string, string | undefined>][] = [
    [before, { 'next.key': overlap }],
    [before, { 'next.key': overlap, 'roots.pem': overlap }],
    [overlap, { 'rotation.json': undefined }],
    // After the rename of next.key, before anything else.
    [overlap, { 'root.key': switched, 'next.key': undefined }],
    [overlap, { 'root.key': switched, 'next.key': switched }],
    [before, { 'roots.pem': undefined }],
  ];
  for (const [i, [from, changes]] of mixes.entries()) {
    const mixed = join(base, `mix-${number}-${i}`);
    cpSync(from, mixed, { recursive: true });
    for (const [name, source] of Object.entries(changes)) {
      if (source === undefined) rmSync(join(mixed, name), { force: true });
      else cpSync(join(source, name), join(mixed, name));
    }
    const restored = await open(mixed);
    assert.ok(accepted(issue(restored), restored), `mix ${i} signs what it trusts`);
    assert.ok(accepted(old, restored), `mix ${i} trusts what was issued before`);
    await passSwitchIfAny(restored);
    assert.ok(accepted(issue(restored), restored), `mix ${i} goes on`);
    restored.close();
  }
});

async function passSwitchIfAny(authority: Authority): Promise<void> {
  if (phases(authority).includes('incoming')) await passSwitch(authority, HOUR);
}

test('a root that ends within the year replaces itself', async () => {
  const first = await open();
  first.close();
  const [root] = parseCertificates(first.trust.current.roots[0] ?? '');
  clock.advance((root?.validToDate.getTime() ?? 0) - clock.now() - 364 * 24 * HOUR);
  const authority = await open();
  await firstWhere(authority.trust, state => state.roots.length === 2, AbortSignal.timeout(5000));
  authority.close();
});

test('what does not fit together is refused and left as it is', async () => {
  const first = await open();
  first.close();
  const keyPath = join(dir, 'root.key');
  const keyPem = readFileSync(keyPath, 'utf8');
  chmodSync(keyPath, 0o644);
  await assert.rejects(open(), refused('NM_CA_STATE', /accessible to others \(mode 644\)/));
  rmSync(keyPath);
  await assert.rejects(open(), refused('NM_CA_STATE', /has roots.pem but not root.key/));
  writeFileSync(keyPath, key.privateKeyPem, { mode: 0o600 });
  await assert.rejects(open(), refused('NM_CA_STATE', /belongs to root.key/));
  writeFileSync(keyPath, keyPem);
  writeFileSync(join(dir, 'roots.pem'), 'garbage');
  await assert.rejects(open(), refused('NM_CA_STATE', /unreadable/));
  assert.equal(readFileSync(join(dir, 'roots.pem'), 'utf8'), 'garbage');
  assert.equal(readFileSync(keyPath, 'utf8'), keyPem);
});

test('a directory that can not be made is an error with its path', async () => {
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(open(join(base, 'file', 'ca')), refused('NM_CA_STATE', /file\/ca/));
});
