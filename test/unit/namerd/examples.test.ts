import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { readConfig } from '../../../namerd/config.ts';
import { documentWarnings, KINDS, readResources } from '../../../namerd/resources/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const files = globSync('deploy/examples/**/*.yaml', { cwd: ROOT });
const configs = files.filter(file => basename(file).startsWith('namerd'));
const documents = files.filter(file =>
  /^apiVersion: (nodemesh\.io|gateway\.networking\.k8s\.io)\//m.test(readFileSync(join(ROOT, file), 'utf8')),
);
/** Kinds that were met. */
const shown = new Set<string>();

for (const file of configs)
  test(`${file} is a configuration of namerd`, () => {
    const path = join(ROOT, file);
    assert.ok(readConfig(readFileSync(path, 'utf8'), path).interfaces.length > 0);
  });

for (const file of documents)
  test(`${file} holds good documents`, () => {
    const { resources, problems } = readResources(readFileSync(join(ROOT, file), 'utf8'), file);
    assert.deepEqual(problems, []);
    assert.ok(resources.length > 0);
    assert.deepEqual(resources.flatMap(documentWarnings), []);
    for (const { kind } of resources) shown.add(kind);
  });

test('there are examples of configurations and of every kind of document', () => {
  assert.ok(configs.length >= 2);
  assert.deepEqual([...shown].sort(), [...KINDS].sort());
});
