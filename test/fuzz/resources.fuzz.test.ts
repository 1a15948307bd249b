/** Documents and configurations against garbage and mutations of good ones. Bounded: a second or two. */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, type Problem } from '#base/config.ts';
import { readConfig } from '../../namerd/config.ts';
import { plainResource, readResources, showResource } from '../../namerd/resources/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const GOOD = globSync('deploy/examples/**/*.yaml', { cwd: ROOT })
  .sort()
  .map(file => readFileSync(join(ROOT, file), 'utf8'));

/** A good text in which pieces are removed, doubled, or replaced. */
const mutated = fc
  .tuple(
    fc.constantFrom(...GOOD),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat(12),
        fc.oneof(
          fc.string(),
          fc.constantFrom('&a', '*a', '"', '{', '- ', '\n', ': ', '!!binary', '\t', '---\n'),
        ),
      ),
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((now, [at, length, by]) => {
      const from = at % (now.length + 1);
      return now.slice(0, from) + by + now.slice(from + length);
    }, text),
  );

function checkPlaces(text: string, problems: readonly Problem[]): void {
  const lines = text.split('\n').length;
  for (const { line, column, message } of problems) {
    assert.ok(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    assert.notEqual(message, '');
  }
}

test('whatever the text, it becomes documents or problems with places', () => {
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string(), fc.string({ unit: 'binary' })), text => {
      const { resources, problems } = readResources(text, 'f');
      checkPlaces(text, problems);
      for (const resource of resources) {
        const again = readResources(showResource(resource, 'v'), 'f');
        assert.deepEqual(again.problems, []);
        const [same] = again.resources;
        assert.ok(same !== undefined && same.metadata.resourceVersion === 'v');
        assert.equal(JSON.stringify(plainResource(same)), JSON.stringify(plainResource(resource)));
      }
    }),
    { numRuns: 600 },
  );
});

test('whatever the configuration, it is read or refused with places', () => {
  fc.assert(
    fc.property(mutated, text => {
      try {
        readConfig(text, join(ROOT, 'deploy/examples/namerd.yaml'));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        checkPlaces(text, error.problems);
        assert.ok(error.problems.length > 0);
      }
    }),
    { numRuns: 400 },
  );
});
