import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { firstWhere } from '#base/watch.ts';
import { parseDtab } from '#names';
import { type DtabResource, dtabResource } from '../../../namerd/resources/index.ts';
import { resourceCodec } from '../../../namerd/store/file/document-codec.ts';
import { FileStore } from '../../../namerd/store/file/file-store.ts';

const codec = resourceCodec('Dtab');

function dtab(name: string, text: string): DtabResource {
  return dtabResource(name, parseDtab(text), text);
}

async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nodemesh-store-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function open(t: TestContext, dir: string): Promise<FileStore<DtabResource>> {
  const store = await FileStore.open({ dir, codec });
  t.after(() => store.close());
  return store;
}

function shown(store: FileStore<DtabResource>, key: string): string | undefined {
  return store.documents.current.get(key)?.value.value.show;
}

function document(name: string, text: string): string {
  return `# by hand\napiVersion: nodemesh.io/v1alpha1\nkind: Dtab\nmetadata: {name: ${name}}\nspec:\n  dtab: "${text}"\n`;
}

test('what was written is there after a restart, with its versions', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  const first = await store.create('default', dtab('default', '/a => /b'));
  const second = await store.update('default', dtab('default', '/a => /c'), first);
  assert.notEqual(first, second);
  await store.put('other', dtab('other', '/x => /y'));
  await store.delete('other');
  await store.close();

  const again = await open(t, dir);
  assert.deepEqual([...again.documents.current.keys()], ['default']);
  assert.equal(again.documents.current.get('default')?.version, second);
  assert.equal(shown(again, 'default'), '/a=>/c');
  await assert.rejects(again.update('default', dtab('default', ''), first), { code: 'NM_STORE_VERSION' });
  await assert.rejects(again.create('default', dtab('default', '')), { code: 'NM_STORE_EXISTS' });
  await assert.rejects(again.delete('default', first), { code: 'NM_STORE_VERSION' });
  await assert.rejects(again.delete('other'), { code: 'NM_STORE_NOT_FOUND' });
});

test('an edit by hand is picked up with a version of its own, which stays the same across restarts', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  const first = await store.create('default', dtab('default', '/a => /b'));
  await writeFile(join(dir, 'default.yaml'), document('default', '/a => /hand'));
  const signal = AbortSignal.timeout(4_000);
  const seen = await firstWhere(store.documents, all => all.get('default')?.version !== first, signal);
  const edited = seen.get('default')?.version ?? '';
  assert.equal(shown(store, 'default'), '/a=>/hand');
  await assert.rejects(store.update('default', dtab('default', ''), first), { code: 'NM_STORE_VERSION' });
  assert.match(await readFile(join(dir, 'default.yaml'), 'utf8'), /^# by hand/);
  await store.close();

  const again = await open(t, dir);
  assert.equal(again.documents.current.get('default')?.version, edited);
  assert.notEqual(await again.update('default', dtab('default', '/a => /z'), edited), edited);
});

test('an edit that no event told of is seen before a write with a version', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  const first = await store.create('default', dtab('default', '/a => /b'));
  await writeFile(join(dir, 'default.yaml'), document('default', '/a => /hand'));
  await assert.rejects(store.update('default', dtab('default', '/a => /c'), first), {
    code: 'NM_STORE_VERSION',
  });
  assert.equal(shown(store, 'default'), '/a=>/hand');
});

test('a bad edit leaves the last good state in force, across restarts too, and shows its place', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  await store.create('default', dtab('default', '/a => /b'));
  await writeFile(join(dir, 'default.yaml'), document('default', '/a => ^'));
  await store.refresh();
  assert.equal(shown(store, 'default'), '/a=>/b');
  assert.match(store.problems.current[0]?.messages[0] ?? '', /default\.yaml:6:16: spec\.dtab: .*'\^' found/);
  await store.close();

  const again = await open(t, dir);
  assert.equal(shown(again, 'default'), '/a=>/b');
  assert.equal(again.problems.current.length, 1);
  await writeFile(join(dir, 'default.yaml'), document('default', '/a => /mended'));
  await again.refresh();
  assert.deepEqual(again.problems.current, []);
  assert.equal(shown(again, 'default'), '/a=>/mended');
});

test('a file that was never good can be replaced or deleted, but not created over', async t => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'a.yaml'), 'nonsense');
  await writeFile(join(dir, 'b.yaml'), 'nonsense');
  const store = await open(t, dir);
  assert.equal(store.problems.current.length, 2);
  await assert.rejects(store.create('a', dtab('a', '')), { code: 'NM_STORE_EXISTS' });
  await store.put('a', dtab('a', '/x => /y'));
  await store.delete('b');
  assert.deepEqual(store.problems.current, []);
  assert.deepEqual([...store.documents.current.keys()], ['a']);
  assert.deepEqual((await readdir(dir)).sort(), ['.last-good', 'a.yaml']);
});

test('a file that is removed or renamed by hand takes its document along', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  await store.create('a', dtab('a', '/x => /y'));
  await rename(join(dir, 'a.yaml'), join(dir, 'b.yaml'));
  await store.refresh();
  assert.deepEqual([...store.documents.current.keys()], []);
  assert.match(store.problems.current[0]?.messages.join() ?? '', /holds Dtab 'a': name it 'a\.yaml'/);
  await rename(join(dir, 'b.yaml'), join(dir, 'a.yml'));
  await store.refresh();
  assert.match(store.problems.current[0]?.messages.join() ?? '', /name it 'a\.yaml'/);
});

test('a directory that vanishes deletes nothing and fails writes', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  await store.create('a', dtab('a', '/x => /y'));
  t.after(() => rm(`${dir}-away`, { recursive: true }));
  await rename(dir, `${dir}-away`);
  await assert.rejects(store.put('a', dtab('a', '')), { code: 'NM_STORAGE' });
  await store.refresh();
  assert.equal(shown(store, 'a'), '/x=>/y');
  assert.match(store.problems.current[0]?.messages.join() ?? '', /the directory cannot be read/);
});

test('what killed writers left is cleaned up, other hidden files are not touched', async t => {
  const dir = await temporary(t);
  await writeFile(join(dir, '.default.yaml.123-4.tmp'), 'half');
  await writeFile(join(dir, '.keep'), '');
  await open(t, dir);
  assert.deepEqual((await readdir(dir)).sort(), ['.keep', '.last-good']);
});

test('writes that come together are done one after the other', async t => {
  const dir = await temporary(t);
  const store = await open(t, dir);
  const first = await store.create('a', dtab('a', ''));
  const results = await Promise.allSettled(
    [1, 2, 3].map(n => store.update('a', dtab('a', `/x => /y${n}`), first)),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
});

test('a directory that cannot be used is a named error', async t => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'file'), '');
  await assert.rejects(FileStore.open({ dir: join(dir, 'file'), codec, clock: systemClock }), {
    code: 'NM_STORAGE',
  });
});
