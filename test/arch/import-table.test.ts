/** Who may import whom: the table of the design, checked against every import in the tree. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSources, cyclesOf, dependencies, loadedWith } from './sources.ts';

const SHARED = ['namerd/base/', 'namerd/names/', 'namerd/trust/', 'namerd/api/'];

/** The first row whose prefix fits a file tells what it may import. */
const TABLE: readonly { from: string; may: readonly string[] }[] = [
  { from: 'namerd/base/', may: ['namerd/base/'] },
  { from: 'namerd/names/', may: ['namerd/names/', 'namerd/base/'] },
  { from: 'namerd/trust/', may: ['namerd/trust/', 'namerd/base/'] },
  { from: 'namerd/api/', may: SHARED },
  { from: 'namerd/', may: ['namerd/'] },
  { from: 'cni-plugin/capture/', may: ['cni-plugin/capture/', 'namerd/base/'] },
  { from: 'cni-plugin/', may: ['cni-plugin/', 'namerd/base/'] },
  {
    from: 'node-proxy/tunnel/',
    may: ['node-proxy/', '!node-proxy/policy/', 'cni-plugin/capture/', 'cni-plugin/protocol.ts', ...SHARED],
  },
  { from: 'node-proxy/', may: ['node-proxy/', 'cni-plugin/capture/', 'cni-plugin/protocol.ts', ...SHARED] },
  { from: 'deploy/', may: ['deploy/', 'cni-plugin/capture/', 'cni-plugin/protocol.ts', ...SHARED] },
  { from: 'bench/', may: ['bench/', 'deploy/', 'namerd/', 'node-proxy/', 'cni-plugin/'] },
  { from: 'test/', may: [''] },
];

const sources = allSources();

test('every import is allowed by the table', () => {
  const wrong: string[] = [];
  for (const { path, imports } of sources) {
    const may = TABLE.find(({ from }) => path.startsWith(from))?.may;
    assert.ok(may, `${path} is in no row of the table`);
    for (const { target, ours, line } of imports) {
      if (!ours || target === 'package.json') continue;
      const forbidden = may.some(rule => rule.startsWith('!') && target.startsWith(rule.slice(1)));
      if (forbidden || !may.some(rule => target.startsWith(rule))) wrong.push(`${path}:${line} → ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('imports of our own files lead to a file', () => {
  const files = new Set(sources.map(({ path }) => path));
  // The scanner's own test quotes imports of files that are not there.
  const real = sources.filter(({ path }) => path !== 'test/arch/sources.test.ts');
  const wrong = real.flatMap(({ path, imports }) =>
    imports
      .filter(({ ours, target }) => ours && /\.(ts|mjs)$/.test(target) && !files.has(target))
      .map(({ line, specifier }) => `${path}:${line} → ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('no file imports itself through others', () => {
  const edges = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ ours }) => ours).map(({ target }) => target),
    ]),
  );
  assert.deepEqual(cyclesOf(edges), []);
});

test('tunnel workers load nothing of policy/', () => {
  const loaded = loadedWith('node-proxy/workers/thread.ts', sources);
  assert.ok(loaded.has('node-proxy/tunnel/pod-doors.ts'), 'the search has lost its way');
  const wrong = [...loaded].filter(path => path.startsWith('node-proxy/policy/'));
  assert.deepEqual(wrong, []);
});

/** Without imports of their own: whoever loads them loads nothing else of policy/. */
const LEAVES = ['node-proxy/policy/limits.ts', 'node-proxy/policy/trace.ts'];

test('only the entry of policy workers loads policy/, beside what is pure in it', () => {
  const leaves = sources.filter(({ path }) => LEAVES.includes(path));
  assert.deepEqual(
    leaves.map(({ imports }) => imports.length),
    [0, 0],
  );
  const wrong = sources
    .filter(({ path }) => /^node-proxy\/(?!policy\/)/.test(path))
    .filter(({ imports }) =>
      imports.some(
        ({ target, typeOnly }) =>
          !typeOnly && target.startsWith('node-proxy/policy/') && !LEAVES.includes(target),
      ),
    )
    .map(({ path }) => path);
  assert.deepEqual(wrong, ['node-proxy/workers/policy-thread.ts']);
});

test('the kernel is reached from node-proxy/kernel only', () => {
  const users = sources.filter(({ imports }) => imports.some(({ target }) => target === 'koffi'));
  const wrong = users.map(({ path }) => path).filter(path => !/^node-proxy\/kernel\/|^test\//.test(path));
  assert.deepEqual(wrong, []);
});

test('what runs in production imports only production packages', () => {
  const wrong: string[] = [];
  for (const { path, imports } of sources) {
    if (!/^(namerd|node-proxy|cni-plugin)\//.test(path)) continue;
    for (const { target, ours, line } of imports)
      if (!ours && !target.startsWith('node:') && !dependencies.has(target))
        wrong.push(`${path}:${line} → ${target}`);
  }
  // The build of the CNI binary is the one developer's program that lives beside what it builds.
  assert.deepEqual(
    wrong.filter(line => !/^cni-plugin\/build\.mjs:\d+ → (esbuild|postject)$/.test(line)),
    [],
  );
});
