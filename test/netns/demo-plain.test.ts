/** The demo's own ground, without a mesh on it: nodes, pods, virtual addresses, applications, and its end. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

const MAIN = join(import.meta.dirname, '../../deploy/demo/main.ts');
const EDGES = ['addition', 'division', 'multiplication', 'percentage', 'subtraction'];

test('the plain demo shows every edge without a failed call, and leaves nothing behind', async () => {
  const before = leftovers();
  const demo = spawn(process.execPath, [MAIN, '--plain'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  demo.stderr.on('data', chunk => (output += chunk));
  await new Promise<void>((resolve, reject) => {
    demo.once('exit', () => reject(new Error(output)));
    demo.stdout.on('data', chunk => {
      output += chunk;
      if (/mathfanboy +addition +[\d.]+ +100\.0 % +0 /.test(output)) resolve();
    });
  });
  for (const name of EDGES) assert.match(output, new RegExp(`mathfanboy +${name} `));
  assert.match(output, /percentage +division /);
  demo.removeAllListeners('exit');
  demo.kill('SIGTERM');
  assert.deepEqual(await once(demo, 'exit'), [0, null], output);
  assert.deepEqual(leftovers(), before);
});

function leftovers(): string[] {
  const namespaces = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).match(/^\d+: [^:]+/gm) ?? [];
  return [...namespaces.split('\n'), ...links];
}
