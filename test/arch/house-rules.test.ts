/** The rules of the house that a machine can check: sizes, names, forbidden syntax, left-over words. */

import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { allSources } from './sources.ts';

const MAX_LINES = 400;
const MAX_SOURCES_PER_FOLDER = 12;

const sources = allSources();
const paths = sources.map(({ path }) => path);

test(`no file has more than ${MAX_LINES} lines`, () => {
  const long = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
  assert.deepEqual(
    long.filter(({ lines }) => lines > MAX_LINES),
    [],
  );
});

test(`no folder has more than ${MAX_SOURCES_PER_FOLDER} sources`, () => {
  const counts = Map.groupBy(paths, path => dirname(path));
  const full = [...counts].filter(([folder, files]) => files.length > limitOf(folder));
  assert.deepEqual(
    full.map(([folder, files]) => `${folder}: ${files.length}`),
    [],
  );
});

test('files and folders are named in kebab-case by the domain', () => {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|fuzz|property|fuzz\.test|d))?\.(ts|mjs)$/;
  const empty = /(^|[-./])(utils?|helpers?|common|managers?|misc|stuff)([-./]|$)/;
  assert.deepEqual(
    paths.filter(
      path =>
        !kebab.test(basename(path)) || empty.test(path) || dirname(path) !== dirname(path).toLowerCase(),
    ),
    [],
  );
});

test('only syntax that Node.js can strip: no enum, namespace or parameter property', () => {
  const forbidden =
    /^\s*(export\s+)?(declare\s+)?(const\s+)?(enum|namespace)\s+\w+\s*\{|\bconstructor\s*\([^)]*\b(private|public|protected|readonly)\s+\w+\s*[:?]/m;
  assert.deepEqual(filesWith(forbidden), []);
});

test('nothing is left for later', () => {
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'];
  assert.deepEqual(filesWith(new RegExp(`\\b(${words.join('|')})\\b`)), []);
});

test('every file of the product begins by saying what it is', () => {
  const silent = sources.filter(
    ({ path, text }) => !path.endsWith('.test.ts') && !/^(#!.*\n)?\/\*\*/.test(text),
  );
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  );
});

function filesWith(pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
}

/** Folders of end-to-end tests hold one file per behaviour, and there are many behaviours. */
function limitOf(folder: string): number {
  return /^test\/(integration|netns|browser|fuzz)$/.test(folder) ? 40 : MAX_SOURCES_PER_FOLDER;
}
