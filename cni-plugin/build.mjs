/**
 * Makes the CNI plugin one executable that needs nothing else on the node:
 *
 *   node cni-plugin/build.mjs [--output dist/nodemesh-cni]
 *
 * esbuild bundles main.ts, Node.js puts the bundle and its compiled code into a copy of itself. The
 * result runs on the processor and C library of the `node` that built it.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = dirname(import.meta.dirname);
const { values } = parseArgs({
  options: { output: { type: 'string', default: join(root, 'dist/nodemesh-cni') } },
});
const output = resolve(values.output);

if (Number.parseInt(process.versions.node, 10) < 26) {
  console.error(`Node.js ${process.version} can't build single executables; run this as: npm run build:cni`);
  process.exit(1);
}

mkdirSync(dirname(output), { recursive: true });
// Beside the output: the last step is a rename, so whoever has the old executable open keeps it whole.
const scratch = mkdtempSync(join(dirname(output), '.build-cni-'));
try {
  const main = join(scratch, 'main.cjs');
  await build({
    entryPoints: [join(root, 'cni-plugin/main.ts')],
    outfile: main,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const config = join(scratch, 'sea.json');
  const executable = join(scratch, 'nodemesh-cni');
  writeFileSync(
    config,
    JSON.stringify({
      main,
      output: executable,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      // The runtime's environment must not change what this program does.
      execArgvExtension: 'none',
    }),
  );
  execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(executable, output);
} finally {
  rmSync(scratch, { recursive: true });
}
console.log(`${output}: ${(statSync(output).size / 1e6).toFixed(0)} MB`);
