import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryStore } from '../../../namerd/store/memory-store.ts';
import { contentDigest, formatVersion, parseVersion } from '../../../namerd/store/version.ts';

test("the first version is Linkerd's", async () => {
  const store = new MemoryStore([['a', 1]]);
  assert.equal(store.documents.current.get('a')?.version, 'AAAAAAAAAAE=');
  assert.equal(await store.create('b', 1), 'AAAAAAAAAAE=');
  assert.equal(await store.put('a', 2), 'AAAAAAAAAAI=');
});

test('documents are sorted, and every change is a new snapshot', async () => {
  const store = new MemoryStore([
    ['b', 1],
    ['a', 1],
  ]);
  const seen: string[] = [];
  store.documents.observe(documents => seen.push([...documents.keys()].join('')));
  await store.create('ab', 1);
  await store.delete('b');
  assert.deepEqual(seen, ['ab', 'aabb', 'aab']);
});

test('conflicts are named errors and change nothing', async () => {
  const store = new MemoryStore([['a', 1]], { limit: 1 });
  const before = store.documents.current;
  await assert.rejects(store.create('a', 2), { code: 'NM_STORE_EXISTS' });
  await assert.rejects(store.update('a', 2, 'x'), { code: 'NM_STORE_VERSION', version: 'AAAAAAAAAAE=' });
  await assert.rejects(store.update('b', 2, 'x'), { code: 'NM_STORE_NOT_FOUND' });
  await assert.rejects(store.delete('a', 'x'), { code: 'NM_STORE_VERSION' });
  await assert.rejects(store.delete('b'), { code: 'NM_STORE_NOT_FOUND' });
  await assert.rejects(store.put('b', 2), { code: 'NM_STORE_FULL' });
  assert.equal(store.documents.current, before);
});

test('a version never comes back with other content', async () => {
  const store = new MemoryStore<number>();
  const first = await store.create('a', 1);
  await store.delete('a');
  assert.notEqual(await store.create('a', 2), first);
});

test('versions read back as written', () => {
  fc.assert(
    fc.property(fc.nat(), fc.option(fc.string()), (counter, content) => {
      const version = { counter, digest: content === null ? '' : contentDigest(content) };
      assert.deepEqual(parseVersion(formatVersion(version)), version);
    }),
  );
  for (const text of ['', 'yolo', 'AAAAAAAAAAE', '//////////8=', '*'])
    assert.equal(parseVersion(text), undefined);
});
