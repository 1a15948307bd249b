import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageSource } from '../../../namerd/registry/index.ts';
import { type Resource, readResources } from '../../../namerd/resources/index.ts';
import { memoryStorage, storeOf } from '../../../namerd/store/index.ts';
import { registryOf } from '../../lib/naming/registry-source.ts';

function read(kind: string, name: string, spec: string): Resource {
  const text = `apiVersion: nodemesh.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}, labels: {app: a}}\nspec: ${spec}\n`;
  const { resources, problems } = readResources(text, 'test');
  assert.deepEqual(problems, []);
  const [resource] = resources;
  assert.ok(resource);
  return resource;
}

test('documents applied to the storage are in the registry, and leave it again', async () => {
  const storage = memoryStorage();
  const registry = await registryOf([storageSource(storage)]);
  await storeOf(storage, 'Service').put(
    'default/a',
    read('Service', 'a', '{ports: [{port: 80}], selector: {app: a}}'),
  );
  await storeOf(storage, 'Workload').put(
    'default/w',
    read('Workload', 'w', '{node: n, addresses: [10.0.0.1]}'),
  );
  const replicas = registry.watchService('default/a').current?.ports[0]?.replicas;
  assert.ok(replicas?.state === 'bound');
  assert.deepEqual(
    replicas.replicas.map(({ address }) => address),
    ['10.0.0.1:80'],
  );
  await storeOf(storage, 'Service').delete('default/a');
  assert.equal(registry.watchService('default/a').current, undefined);
});
