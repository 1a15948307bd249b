import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { namerdId, nodeId, parseSpiffe, TrustError, tryParseSpiffe, workloadId } from '#trust';

const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/).filter(text => text !== '.' && text !== '..');
const domain = fc.stringMatching(/^[a-z0-9._-]{1,60}$/);

test('every workload, node and namerd id reads back as what it was made of', () => {
  fc.assert(
    fc.property(domain, segment, segment, (td, ns, sa) => {
      const workload = parseSpiffe(workloadId(td, ns, sa));
      assert.deepEqual(workload, {
        text: `spiffe://${td}/ns/${ns}/sa/${sa}`,
        trustDomain: td,
        kind: 'workload',
        namespace: ns,
        serviceAccount: sa,
        node: '',
      });
      const node = parseSpiffe(nodeId(td, ns));
      assert.equal(node.kind, 'node');
      assert.equal(node.node, ns);
      assert.equal(node.text, `spiffe://${td}/nodemesh/node/${ns}`);
      assert.equal(parseSpiffe(namerdId(td)).kind, 'namerd');
    }),
  );
});

test('any text is either an identity that prints as itself, or none', () => {
  const piece = fc.constantFrom(
    'spiffe://',
    'td',
    '/',
    'ns',
    'sa',
    'nodemesh',
    'node',
    'namerd',
    '.',
    '..',
    ' ',
    '%2e',
    '?',
    '#',
    'é',
    'A',
    '@',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
      const text = pieces.join('');
      const id = tryParseSpiffe(text);
      if (id !== undefined)
        assert.match(
          text,
          /^spiffe:\/\/[a-z0-9._-]+\/(ns\/[\w.-]+\/sa\/[\w.-]+|nodemesh\/(node\/[\w.-]+|namerd))$/,
        );
    }),
    { numRuns: 2000 },
  );
});

for (const bad of [
  '',
  'spiffe://',
  'http://td/ns/a/sa/b',
  'SPIFFE://td/ns/a/sa/b',
  'spiffe:///ns/a/sa/b',
  'spiffe://TD/ns/a/sa/b',
  'spiffe://td:443/ns/a/sa/b',
  'spiffe://user@td/ns/a/sa/b',
  'spiffe://td/ns/a/sa/b/',
  'spiffe://td/ns/a/sa/b/c',
  'spiffe://td/ns/a/sa/',
  'spiffe://td/ns//sa/b',
  'spiffe://td/ns/../sa/b',
  'spiffe://td/ns/a%2fb/sa/b',
  'spiffe://td/ns/a/sa/b?x',
  'spiffe://td/ns/a/sa/b#x',
  'spiffe://td/nodemesh/node',
  'spiffe://td/nodemesh/node/a/b',
  'spiffe://td/nodemesh/namerd/x',
  `spiffe://td/ns/${'a'.repeat(2048)}/sa/b`,
  `spiffe://${'t'.repeat(256)}/ns/a/sa/b`,
])
  test(`no identity: ${bad.slice(0, 60)}`, () => {
    assert.equal(tryParseSpiffe(bad), undefined);
    assert.throws(
      () => parseSpiffe(bad),
      (error: unknown) => error instanceof TrustError && error.code === 'NM_TRUST_SPIFFE',
    );
  });

test('an id can not be composed of segments that would change its meaning', () => {
  assert.throws(() => workloadId('td', 'a/sa/b', 'c'), TrustError);
  assert.throws(() => workloadId('td', '', 'c'), TrustError);
  assert.throws(() => nodeId('td', '..'), TrustError);
});
