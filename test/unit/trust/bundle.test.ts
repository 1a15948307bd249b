import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeRoots, renewAtMs, TrustError, trustBundle } from '#trust';
import { leaf, rootAuthority } from '../../lib/authority.ts';

test('roots are merged without duplicates, whatever their line breaks', async () => {
  const a = (await rootAuthority()).certPem;
  const b = (await rootAuthority()).certPem;
  assert.deepEqual(mergeRoots([a, b], [b, a]), [a, b]);
  assert.deepEqual(mergeRoots([`noise\n${a}noise\n${b}`], [a.replaceAll('\n', '\r\n')]), [a, b]);
  assert.deepEqual(trustBundle('td', b + a), { trustDomain: 'td', roots: [b, a] });
});

test('what is no root can not become one', async () => {
  const root = await rootAuthority();
  const { certPem } = await leaf(root);
  assert.throws(() => trustBundle('td', certPem), TrustError);
  assert.throws(() => trustBundle('td', 'nothing'), TrustError);
  assert.throws(() => trustBundle('TD', root.certPem), TrustError);
});

test('renewal is due at half of the lifetime', () => {
  assert.equal(renewAtMs(1000, 3000), 2000);
});
