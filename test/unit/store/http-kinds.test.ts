import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readResources, resourceKey } from '../../../namerd/resources/index.ts';
import { fileStorage, storeOf } from '../../../namerd/store/index.ts';

const EXAMPLES = join(import.meta.dirname, '../../../deploy/examples');
const FILES = {
  'route-http.yaml': 'httproutes/calc.multiplication.yaml',
  'route-grpc.yaml': 'grpcroutes/grpc-calc.division.yaml',
  'traffic-percentage.yaml': 'trafficpolicies/calc.percentage.yaml',
};

for (const [example, file] of Object.entries(FILES))
  test(`${example} is the same after a restart, and its last good state outlives a bad edit`, async t => {
    const dir = await mkdtemp(join(tmpdir(), 'nodemesh-kinds-'));
    t.after(() => rm(dir, { recursive: true, force: true }));
    const [resource] = readResources(await readFile(join(EXAMPLES, example), 'utf8'), example).resources;
    assert.ok(resource);
    const key = resourceKey(resource.metadata);
    const before = await fileStorage({ dir });
    const version = await storeOf(before, resource.kind).put(key, resource);
    await before.close();
    const after = await fileStorage({ dir });
    t.after(() => after.close());
    const stored = storeOf(after, resource.kind).documents.current.get(key);
    assert.equal(stored?.version, version);
    assert.deepEqual(stored?.value.value, resource.value);
    await after.close();

    const path = join(dir, file);
    await writeFile(path, (await readFile(path, 'utf8')).replace('kind: Service', 'kind: Teapot'));
    const spoilt = await fileStorage({ dir });
    t.after(() => spoilt.close());
    assert.deepEqual(storeOf(spoilt, resource.kind).documents.current.get(key)?.value.value, resource.value);
    const [problem] = spoilt.problems.current;
    assert.deepEqual([problem?.kind, problem?.key, problem?.state], [resource.kind, key, 'error']);
    assert.match(problem?.messages[0] ?? '', /:\d+:\d+: spec\.(parentRefs|targetRef)/);
  });
