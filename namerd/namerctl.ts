#!/usr/bin/env node
/** The command `namerctl`: its surroundings are the real ones. */

import { text } from 'node:stream/consumers';
import { runNamerctl } from './ctl/program.ts';

await runNamerctl(process.argv.slice(2), {
  out: line => process.stdout.write(`${line}\n`),
  err: line => process.stderr.write(`${line}\n`),
  input: () => text(process.stdin),
  env: process.env,
  cwd: process.cwd(),
  fetch,
  exitCode: code => {
    process.exitCode = code;
  },
});
