import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cyclesOf, importsOf } from './sources.ts';

test('every way to import is found, with its target and line', () => {
  const text = [
    "import { a } from './a.ts';",
    "// import { no } from './comment.ts';",
    "import type { B } from '../base/b.ts'; /* import './no.ts' */",
    'import {',
    '  c,',
    "} from '#base/c.ts';",
    "export { d } from './deep/d.ts';",
    "import './side-effect.ts';",
    "const e = await import('./e.ts');",
    "new Worker(new URL('./worker.ts', import.meta.url));",
    "import koffi from 'koffi';",
    "import { f } from '@scope/pack/file.js';",
    "import fs from 'node:fs/promises';",
    "import { g } from '#names';",
    'const url = "http://host/path"; // an address is no comment',
  ].join('\n');
  const imports = importsOf('namerd/serve/x.ts', text);
  const found = imports.map(({ target, line }) => `${line} ${target}`);
  assert.deepEqual(found, [
    '1 namerd/serve/a.ts',
    '3 namerd/base/b.ts',
    '4 namerd/base/c.ts',
    '7 namerd/serve/deep/d.ts',
    '8 namerd/serve/side-effect.ts',
    '9 namerd/serve/e.ts',
    '10 namerd/serve/worker.ts',
    '11 koffi',
    '12 @scope/pack',
    '13 node:fs/promises',
    '14 namerd/names/index.ts',
  ]);
  assert.deepEqual(
    imports.filter(({ typeOnly }) => typeOnly).map(({ target }) => target),
    ['namerd/base/b.ts'],
  );
});

test('cycles are found once each, and only cycles', () => {
  const edges = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', ['b']],
    ['e', ['e']],
    ['f', ['a']],
  ]);
  assert.deepEqual(cyclesOf(edges), [['b', 'd'], ['e']]);
});
