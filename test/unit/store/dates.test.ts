/** When documents came to be: noted once, whoever writes them afterwards. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { firstWhere } from '#base/watch.ts';
import { type Resource, readResources } from '../../../namerd/resources/index.ts';
import { fileStorage, memoryStorage, type Storage, storeOf } from '../../../namerd/store/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { routeYaml } from '../../lib/naming/routing-world.ts';

const RULE = '{backendRefs: [{name: a, port: 80}]}';

function route(name: string, date?: string): Resource {
  const text = routeYaml(`n/${name}`, 'name: a', RULE);
  const dated =
    date === undefined ? text : text.replace('namespace: n', `namespace: n, creationTimestamp: ${date}`);
  const [resource] = readResources(dated, 'test.yaml').resources;
  assert.ok(resource);
  return resource;
}

function dateOf(storage: Storage, name: string): string | undefined {
  return storage.httpRoutes.documents.current.get(`n/${name}`)?.value.metadata.creationTimestamp;
}

const [FIRST, LATER, OLD] = ['2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z', '2020-02-02T02:02:02+02:00'];
const MINUTE = 60_000;

async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nodemesh-dates-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

for (const kind of ['memory', 'files'])
  test(`a document gets a date when it is created, and keeps it when it is written again (${kind})`, async t => {
    const clock = new FakeClock(Date.parse(FIRST));
    const storage =
      kind === 'memory'
        ? memoryStorage([], { clock })
        : await fileStorage({ dir: await temporary(t), clock });
    t.after(() => storage.close());
    const store = storeOf(storage, 'HTTPRoute');
    const version = await store.create('n/a', route('a'));
    await store.put('n/own', route('own', OLD));
    clock.advance(MINUTE);
    await store.put('n/b', route('b'));
    await store.update('n/a', route('a'), version);
    await store.put('n/own', route('own'));
    assert.deepEqual(
      ['a', 'b', 'own'].map(name => dateOf(storage, name)),
      [FIRST, LATER, OLD],
    );
    // Who writes a date means it; what is created again is new.
    await store.put('n/b', route('b', OLD));
    await store.delete('n/a');
    await store.put('n/a', route('a'));
    assert.deepEqual(
      ['a', 'b'].map(name => dateOf(storage, name)),
      [LATER, OLD],
    );
  });

test('dates outlive a restart, and what stood there without one gets none', async t => {
  const dir = await temporary(t);
  const clock = new FakeClock(Date.parse(FIRST));
  const before = await fileStorage({ dir, clock });
  const version = await storeOf(before, 'HTTPRoute').put('n/a', route('a'));
  await before.close();
  await writeFile(join(dir, 'httproutes/n.b.yaml'), routeYaml('n/b', 'name: a', RULE));
  clock.advance(MINUTE);
  const after = await fileStorage({ dir, clock });
  t.after(() => after.close());
  const store = storeOf(after, 'HTTPRoute');
  assert.equal(store.documents.current.get('n/a')?.version, version);
  await store.put('n/a', route('a'));
  await store.put('n/b', route('b'));
  assert.deepEqual([dateOf(after, 'a'), dateOf(after, 'b')], [FIRST, undefined]);
});

test('a date that is edited by hand is another version', async t => {
  const dir = await temporary(t);
  const storage = await fileStorage({ dir, clock: new FakeClock(Date.parse(FIRST)) });
  t.after(() => storage.close());
  const store = storeOf(storage, 'HTTPRoute');
  const version = await store.put('n/a', route('a'));
  const path = join(dir, 'httproutes/n.a.yaml');
  await writeFile(path, (await readFile(path, 'utf8')).replace(FIRST, LATER));
  // Each write looks at what is there.
  await assert.rejects(store.update('n/a', route('a'), version), { code: 'NM_STORE_VERSION' });
  await firstWhere(storage.httpRoutes.documents, () => dateOf(storage, 'a') === LATER, t.signal);
});
