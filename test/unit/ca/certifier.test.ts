import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { createCsr, generateKey, verifyChain } from '#trust';
import {
  CaRefusal,
  CERTIFIER_LIMITS,
  Certifier,
  type CertifierLimits,
  givenAuthority,
  JoinTokens,
  type RefusalCode,
  tokenSha256,
} from '../../../namerd/ca/index.ts';
import { HOUR, NOW, rootAuthority } from '../../lib/authority.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

const TOKEN = 'correct horse battery staple';
const CART = 'spiffe://mesh.test/ns/shop/sa/cart';
const root = await rootAuthority();
const key = await generateKey();
const csr = createCsr(key);

function certifier({
  limits = CERTIFIER_LIMITS,
  ttlMs = 24 * HOUR,
}: {
  limits?: CertifierLimits;
  ttlMs?: number;
} = {}) {
  const clock = new FakeClock(NOW);
  const asked: string[] = [];
  const subject = new Certifier({
    authority: givenAuthority({
      trustDomain: 'mesh.test',
      certificates: root.certPem,
      key: root.key.privateKeyPem,
    }),
    trustDomain: 'mesh.test',
    ttlMs,
    tokens: new JoinTokens([
      { name: 'node-1', tokenSha256: tokenSha256(`${TOKEN}\n`) },
      { name: 'node-2', tokenSha256: tokenSha256('another token of length') },
    ]),
    placement: {
      nodeRuns: (node, identity) => {
        asked.push(`${node} ${identity}`);
        return node === 'node-1' && identity === CART;
      },
    },
    clock,
    log: silentLog,
    limits,
  });
  return { subject, clock, asked };
}

const refusal =
  (code: RefusalCode, text = /./) =>
  (error: unknown) =>
    error instanceof CaRefusal && error.code === code && text.test(error.message) && error.next !== undefined;

test('a join token buys the certificate of the node, and nothing else of the request counts', async () => {
  const { subject } = certifier();
  const lying = createCsr(key, { uri: 'spiffe://mesh.test/nodemesh/namerd' });
  const issued = await subject.join({ node: 'node-1', token: TOKEN, csr: lying }, '10.0.0.1');
  const { uri, leaf } = verifyChain(issued.chain, issued.trust.roots, NOW);
  assert.equal(uri, 'spiffe://mesh.test/nodemesh/node/node-1');
  assert.ok(leaf.publicKey.equals(key.publicKey));
  assert.equal(leaf.validFromDate.getTime(), issued.notBefore);
  assert.equal(leaf.validToDate.getTime(), issued.notAfter);
  assert.equal(issued.notAfter, NOW + 24 * HOUR);
  assert.ok(issued.notBefore < NOW, 'clocks that are behind accept it too');
});

test('a wrong token, a token of another node and an unknown node are told apart', async () => {
  const { subject } = certifier();
  for (const token of ['', 'wrong', 'another token of length', `${TOKEN} `])
    await assert.rejects(
      subject.join({ node: 'node-1', token, csr }, 'a'),
      refusal('NM_CA_TOKEN', /'node-1'/),
    );
  await assert.rejects(
    subject.join({ node: 'node-3', token: TOKEN, csr }, 'a'),
    refusal('NM_CA_NODE_UNKNOWN', /'node-3'/),
  );
  for (const bad of [{}, { node: 1, token: TOKEN, csr }, { node: 'a/b', token: TOKEN, csr }])
    await assert.rejects(subject.join(bad as never, 'a'), refusal('NM_CA_BAD_REQUEST'));
});

test('a node gets the identities of what it runs, and its own', async () => {
  const { subject, asked } = certifier();
  const { chain } = await subject.certificate('node-1', { identity: CART, csr });
  assert.equal(verifyChain(chain, [root.certPem], NOW).uri, CART);
  assert.deepEqual(asked, [`node-1 ${CART}`]);
  const own = await subject.certificate('node-1', {
    identity: 'spiffe://mesh.test/nodemesh/node/node-1',
    csr,
  });
  assert.equal(verifyChain(own.chain, [root.certPem], NOW).uri, 'spiffe://mesh.test/nodemesh/node/node-1');
});

test('every other identity is refused with the check that failed', async () => {
  const { subject } = certifier();
  const ask = (node: string, identity: unknown, request: unknown = csr) =>
    subject.certificate(node, { identity, csr: request } as never);
  await assert.rejects(ask('node-2', CART), refusal('NM_CA_NOT_ON_NODE', /cart.*node-2/));
  await assert.rejects(ask('node-1', 'spiffe://mesh.test/ns/shop/sa/web'), refusal('NM_CA_NOT_ON_NODE'));
  await assert.rejects(ask('node-1', 'spiffe://mesh.test/nodemesh/namerd'), refusal('NM_CA_BAD_IDENTITY'));
  await assert.rejects(
    ask('node-1', 'spiffe://mesh.test/nodemesh/node/node-2'),
    refusal('NM_CA_BAD_IDENTITY'),
  );
  await assert.rejects(ask('node-1', 'cart'), refusal('NM_CA_BAD_IDENTITY'));
  await assert.rejects(ask('node-1', 'spiffe://other.test/ns/shop/sa/cart'), refusal('NM_CA_TRUST_DOMAIN'));
  await assert.rejects(ask('node-9', CART), refusal('NM_CA_NODE_UNKNOWN'));
  await assert.rejects(ask('node-1', CART, 'garbage'), refusal('NM_CA_BAD_CSR'));
  await assert.rejects(ask('node-1', CART, 7), refusal('NM_CA_BAD_REQUEST'));
  await assert.rejects(ask('node-1', 7), refusal('NM_CA_BAD_REQUEST'));
  const p384 = createCsr(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey);
  await assert.rejects(ask('node-1', CART, p384), refusal('NM_CA_KEY_TYPE'));
});

test('an address that fails to join again and again has to wait, right token or not; others do not', async () => {
  const { subject, clock } = certifier({
    limits: { ...CERTIFIER_LIMITS, failedJoins: { burst: 2, perSecond: 1 } },
  });
  const join = (token: string, from: string) => subject.join({ node: 'node-1', token, csr }, from);
  for (let i = 0; i < 5; i++) await join(TOKEN, 'bad');
  for (let i = 0; i < 2; i++) await assert.rejects(join('wrong', 'bad'), refusal('NM_CA_TOKEN'));
  await assert.rejects(join(TOKEN, 'bad'), refusal('NM_CA_RATE', /bad/));
  assert.ok(await join(TOKEN, 'good'));
  clock.advance(1000);
  assert.ok(await join(TOKEN, 'bad'));
});

test('wrong tokens for one node do not keep another one behind the same address from joining', async () => {
  const { subject } = certifier();
  const join = (node: string, token: string) => subject.join({ node, token, csr }, 'gateway');
  for (let i = 0; i < 10; i++) await assert.rejects(join('node-2', 'wrong'), refusal('NM_CA_TOKEN'));
  await assert.rejects(join('node-2', 'wrong'), refusal('NM_CA_RATE', /'node-2' from gateway/));
  for (let i = 0; i < 20; i++)
    await assert.rejects(join(`made-up-${i}`, 'wrong'), refusal('NM_CA_NODE_UNKNOWN'));
  assert.ok(await join('node-1', TOKEN));
});

test('an address that fails with one node after the other has to wait in the end', async () => {
  const { subject, clock } = certifier({
    limits: { ...CERTIFIER_LIMITS, failedJoinsPerAddress: { burst: 3, perSecond: 1 } },
  });
  const join = (node: string, token: string, from = 'bad') => subject.join({ node, token, csr }, from);
  await assert.rejects(join('node-1', 'wrong'), refusal('NM_CA_TOKEN'));
  await assert.rejects(join('node-2', 'wrong'), refusal('NM_CA_TOKEN'));
  await assert.rejects(join('made-up', 'wrong'), refusal('NM_CA_NODE_UNKNOWN'));
  await assert.rejects(join('node-1', TOKEN), refusal('NM_CA_RATE', /from bad/));
  assert.ok(await join('node-1', TOKEN, 'good'));
  clock.advance(1000);
  assert.ok(await join('node-1', TOKEN));
});

test('one node can not take all of the authority, nor can all nodes take more than it has', async () => {
  const { subject } = certifier({
    limits: { ...CERTIFIER_LIMITS, perNode: { burst: 3, perSecond: 1 }, queue: 2 },
  });
  const ask = () => subject.certificate('node-1', { identity: CART, csr });
  const results = await Promise.allSettled([ask(), ask(), ask(), ask()]);
  const codes = results.map(result =>
    result.status === 'fulfilled' ? 'issued' : (result.reason as CaRefusal).code,
  );
  assert.deepEqual(codes, ['issued', 'issued', 'NM_CA_BUSY', 'NM_CA_RATE']);
});

test("namerd's own certificate names it, and no certificate outlives its authority", async () => {
  const { subject } = certifier({ ttlMs: 5000 * HOUR });
  const own = await subject.ownCertificate();
  assert.equal(verifyChain(own.chain, [root.certPem], NOW).uri, 'spiffe://mesh.test/nodemesh/namerd');
  assert.ok(own.keyPem.includes('PRIVATE KEY'));
  assert.equal(own.notAfter, new X509Certificate(root.certPem).validToDate.getTime());
});

test('a certificate that lives for seconds is not backdated into being due for renewal', async () => {
  const { subject } = certifier({ ttlMs: 8000 });
  const { notBefore, notAfter } = await subject.ownCertificate();
  assert.deepEqual([notBefore - NOW, notAfter - NOW], [-2000, 8000]);
});
