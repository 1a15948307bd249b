/** The compiler and the linter find nothing; here, so that one run and one summary cover everything. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './sources.ts';

/** Characters; the first findings are enough to begin with. */
const MAX_OUTPUT = 3000;

function runTool(name: string, ...arguments_: string[]): { status: number | null; output: string } {
  const tool = join(ROOT, 'node_modules/.bin', name);
  const { status, stdout, stderr } = spawnSync(tool, arguments_, { cwd: ROOT, encoding: 'utf8' });
  return { status, output: (stdout + stderr).slice(0, MAX_OUTPUT) };
}

test('types: tsc', () => {
  const { status, output } = runTool('tsc', '--project', '.', '--pretty', 'false');
  assert.equal(status, 0, output);
});

test('format and lint: biome', () => {
  const { status, output } = runTool('biome', 'ci', '--colors=off', '--error-on-warnings', '.');
  assert.equal(status, 0, output);
});
