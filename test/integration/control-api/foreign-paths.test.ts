import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KIND_FACTS, KINDS } from '../../../namerd/resources/index.ts';
import { Catalog } from '../../../namerd/serve/control/catalog.ts';
import { dtabRoutes } from '../../../namerd/serve/control/dtabs.ts';
import { resourceRoutes } from '../../../namerd/serve/control/resources.ts';
import { fileStorage } from '../../../namerd/store/index.ts';
import { serve } from './control-server.ts';

const VICTIM = 'not ours\n';

async function start(t: TestContext) {
  const outside = await mkdtemp(join(tmpdir(), 'nodemesh-paths-'));
  t.after(() => rm(outside, { recursive: true, force: true }));
  const storage = await fileStorage({ dir: join(outside, 'storage') });
  t.after(() => storage.close());
  const victims = [join(outside, 'victim', 'v2.yaml')];
  await mkdir(join(outside, 'victim'));
  for (const kind of KINDS) {
    const place = join(outside, 'storage', KIND_FACTS[kind].plural);
    // With this directory `x/../…`, whose first slash becomes a dot, resolves.
    await mkdir(join(place, 'x...'));
    await mkdir(join(place, 'x.'));
    victims.push(join(place, '.last-good', 'v2.yaml'));
  }
  for (const victim of victims) await writeFile(victim, VICTIM);
  const catalog = new Catalog({
    storage,
    statuses: () => [],
    registryFiles: () => ({ services: [], workloads: [] }),
  });
  const routes = [...dtabRoutes(storage.dtabs), ...resourceRoutes(catalog, () => [])];
  return { victims, ...(await serve(t, routes)) };
}

const CLIMBING = [
  'x%2f..%2fy%2f..%2f..%2f..%2fvictim%2fv2',
  'x%2f..%2f..%2f..%2f..%2fvictim%2fv2',
  '%2e%2e%2f%2e%2e%2fvictim%2fv2',
  'x%2f..%2f.last-good%2fv2',
  '.last-good%2fv2',
  '..%2f.last-good%2fv2',
  'a%00b',
];

test('no request of the control API reaches a file outside its storage', async t => {
  const { call, victims } = await start(t);
  const paths = CLIMBING.flatMap(name => [
    `/api/1/dtabs/${name}`,
    ...KINDS.map(kind => {
      const { plural, namespaced } = KIND_FACTS[kind];
      return `/api/1/resources/${plural}/${namespaced ? 'x/' : ''}${name}`;
    }),
    `/api/1/resources/services/${name}/v2`,
  ]);
  for (const path of paths)
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
      if (method === 'POST' && !path.startsWith('/api/1/dtabs')) continue;
      const body = { body: '/a => /b', headers: { 'content-type': 'application/dtab' } };
      const { status } = await call(`${method} ${path}`, /P/.test(method) ? body : {});
      assert.equal(status, 400, `${method} ${path}`);
    }
  for (const victim of victims) assert.equal(await readFile(victim, 'utf8'), VICTIM);
});
