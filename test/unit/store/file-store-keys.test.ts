import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KIND_FACTS, KINDS, type Resource, readResources } from '../../../namerd/resources/index.ts';
import { fileStorage, storeOf } from '../../../namerd/store/index.ts';

const VICTIM = 'not ours\n';

/** A storage two directories deep, with files beside and inside it that no key may reach. */
async function opened(t: TestContext) {
  const outside = await mkdtemp(join(tmpdir(), 'nodemesh-keys-'));
  t.after(() => rm(outside, { recursive: true, force: true }));
  const dir = join(outside, 'storage');
  await mkdir(join(outside, 'victim'), { recursive: true });
  await writeFile(join(outside, 'victim', 'v2.yaml'), VICTIM);
  await writeFile(join(outside, 'v2.yaml'), VICTIM);
  const storage = await fileStorage({ dir });
  t.after(() => storage.close());
  return { outside, dir, storage };
}

function some(): Resource {
  const text = 'apiVersion: nodemesh.io/v1alpha1\nkind: Dtab\nmetadata: {name: a}\nspec: {dtab: ""}\n';
  const [resource] = readResources(text, 'test').resources;
  assert.ok(resource);
  return resource;
}

const CLIMBING = [
  'x/../y/../../victim/v2',
  'x/../y/../../../victim/v2',
  'x/y/../../../v2',
  '../../v2',
  '/../../v2',
  'a/../../v2',
  'x/.last-good/victim',
  '.last-good/victim',
  '.hidden',
  '..',
  '',
  '/',
  'a\0b',
  'ns/a\0b',
  'a'.repeat(300),
];

for (const kind of KINDS)
  test(`no key of a ${kind} reaches a file that is not its own`, async t => {
    const { outside, dir, storage } = await opened(t);
    const store = storeOf(storage, kind);
    const place = join(dir, KIND_FACTS[kind].plural);
    // The directory that makes `x.../…` a path that resolves, if anything lets it through.
    for (const name of ['x', 'x.', 'x..', 'x...']) await mkdir(join(place, name), { recursive: true });
    await writeFile(join(place, '.last-good', 'victim.yaml'), VICTIM);
    const before = (await readdir(outside, { recursive: true })).sort();
    for (const key of CLIMBING) {
      await assert.rejects(store.delete(key), { code: 'NM_STORE_NOT_FOUND' }, `delete ${key}`);
      await assert.rejects(store.update(key, some(), 'v'), { code: 'NM_STORE_NOT_FOUND' }, `update ${key}`);
      await assert.rejects(store.put(key, some()), { code: 'NM_STORE_KEY' }, `put ${key}`);
      await assert.rejects(store.create(key, some()), { code: 'NM_STORE_KEY' }, `create ${key}`);
    }
    assert.deepEqual((await readdir(outside, { recursive: true })).sort(), before);
    assert.equal(await readFile(join(outside, 'victim', 'v2.yaml'), 'utf8'), VICTIM);
    assert.equal(store.documents.current.size, 0);
  });

test('one file has one key: another spelling of it does not exist', async t => {
  const { storage } = await opened(t);
  const text =
    'apiVersion: nodemesh.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {name: b.c, namespace: a}\nspec: {action: DENY}\n';
  const [policy] = readResources(text, 'test').resources;
  assert.ok(policy);
  const store = storeOf(storage, 'AuthorizationPolicy');
  await store.put('a/b.c', policy);
  await assert.rejects(store.delete('a.b/c'), { code: 'NM_STORE_NOT_FOUND' });
  assert.deepEqual([...store.documents.current.keys()], ['a/b.c']);
});
