/** What is not code but must not rot: the README's folder map and the YAML files of deploy/examples. */

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseYaml } from '#base/config.ts';
import { allSources, ROOT, TOP_FOLDERS } from './sources.ts';

/** What is inside these is told beside it, not on the first page. */
const LEFT_TO_THEIR_README = new Set(['test', 'bench']);

test("the README's folder map names every folder, and only folders that exist", () => {
  const readme = join(ROOT, 'README.md');
  if (!existsSync(readme)) return;
  const mapped = foldersIn(readFileSync(readme, 'utf8'));
  assert.ok(mapped.length > 0, 'README.md has no folder map (a fenced block whose lines begin `namerd/`)');
  const gone = mapped.filter(
    folder => !statSync(join(ROOT, folder), { throwIfNoEntry: false })?.isDirectory(),
  );
  assert.deepEqual(gone, [], 'mapped, but not there');
  const real = new Set<string>();
  for (const { path } of allSources()) {
    const [top = '', second = '', third] = path.split('/');
    real.add(top);
    if (third !== undefined && !LEFT_TO_THEIR_README.has(top)) real.add(`${top}/${second}`);
  }
  assert.deepEqual(
    [...real].filter(folder => !mapped.includes(folder)),
    [],
    'there, but not mapped',
  );
});

test('every example file is YAML', () => {
  for (const path of globSync('deploy/examples/**/*.{yaml,yml}', { cwd: ROOT })) {
    const { documents, problems } = parseYaml(readFileSync(join(ROOT, path), 'utf8'), path);
    problems.throwIfAny();
    assert.ok(documents.length > 0, `${path} is empty`);
  }
});

/** Reads `namerd/   …` at the margin and `  base/   …` below it, in the fenced block that has such lines. */
function foldersIn(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].map(match => match[1] ?? '');
  const map = blocks.find(block => TOP_FOLDERS.filter(top => block.includes(`${top}/`)).length > 3) ?? '';
  const folders: string[] = [];
  let top = '';
  for (const line of map.split('\n')) {
    const [, indent = '', names = ''] = /^( *)((?:[a-z0-9-]+\/[ ,]*)+)/.exec(line) ?? [];
    for (const name of names.match(/[a-z0-9-]+(?=\/)/g) ?? []) {
      if (indent === '') top = name;
      folders.push(indent === '' ? name : `${top}/${name}`);
    }
  }
  return folders;
}
