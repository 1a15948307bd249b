/** Documents for tests: read from plain data, with their problems as texts. */

import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { formatProblem } from '#base/config.ts';
import { KIND_FACTS, type Kind, type ResourceOf, readResources } from '../../../namerd/resources/index.ts';

export interface ReadSpec<K extends Kind> {
  value: ResourceOf<K>['value'] | undefined;
  /** Each begins with `f.yaml:<line>:<column>: spec`. */
  problems: string[];
}

/** The document `calc/x` of a kind with this spec. */
export function readSpec<K extends Kind>(kind: K, spec: unknown): ReadSpec<K> {
  const { apiVersion } = KIND_FACTS[kind];
  const document = { apiVersion, kind, metadata: { name: 'x', namespace: 'calc' }, spec };
  // What is one object in a test is no alias in a document.
  const text = stringify(document, { aliasDuplicateObjects: false });
  const { resources, problems } = readResources(text, 'f.yaml');
  const [resource] = resources;
  return {
    value: resource?.value as ResourceOf<K>['value'] | undefined,
    problems: problems.map(formatProblem),
  };
}

export function goodSpec<K extends Kind>(kind: K, spec: unknown): ResourceOf<K>['value'] {
  const { value, problems } = readSpec(kind, spec);
  assert.deepEqual(problems, []);
  assert.ok(value);
  return value;
}

/** The document is refused for exactly one reason, with a place. */
export function assertRefused(kind: Kind, spec: unknown, message: RegExp): void {
  const { value, problems } = readSpec(kind, spec);
  assert.equal(value, undefined);
  assert.equal(problems.length, 1, problems.join('\n'));
  assert.match(problems[0] ?? '', message);
  assert.match(problems[0] ?? '', /^f\.yaml:\d+:\d+: spec/);
}
