/**
 * Runs the tests, folder by folder, inside a private corner of the machine, and closes with Node's own summary
 * over all of them.
 *
 *   node test/run.ts [folder…] [--only TEXT]      folders of test/, default all; TEXT is part of a file's path
 *
 * Folders whose tests measure time or share the kernel run one file at a time. Tests in test/netns need
 * namespaces: where the machine allows none they are shown as skipped, and with CI=true as failed.
 */

import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { isIsolated, isolation } from '../deploy/isolate.ts';

const HERE = import.meta.dirname;
const ROOT = dirname(HERE);
/** In the order in which a failure is cheapest to understand; folders not named here come last. */
const ORDER = ['arch', 'unit', 'fuzz', 'integration', 'netns', 'browser'];
const ONE_AT_A_TIME = new Set(['integration', 'netns', 'browser']);
const PER_TEST_TIMEOUT_MS = 180_000;
const COUNTS = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'] as const;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });

// In the corner nothing that a test needs is missing, so a test that skips itself would hide something.
if (isIsolated()) process.env['NODEMESH_REQUIRE_NETNS'] = '1';

if (isIsolated()) process.exitCode = await runFolders(undefined);
else {
  const corner = isolation();
  if (corner.possible) process.exitCode = await again(corner.prefix);
  else process.exitCode = await runFolders(corner.reason);
}

/** This same command inside the corner. */
async function again([command = '', ...prefix]: readonly string[]): Promise<number> {
  const rest = [...prefix, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] });
  // The corner dies with the `unshare` process; Ctrl-C reaches the tests themselves through the terminal.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => child.kill('SIGKILL'));
  process.on('SIGINT', () => {});
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });
}

/** @param noNamespaces why test/netns cannot run, or undefined when it can. */
async function runFolders(noNamespaces: string | undefined): Promise<number> {
  const totals = new Map<string, number>(COUNTS.map(name => [name, 0]));
  const report = new spec();
  report.pipe(process.stdout);
  let ok = true;
  let ran = 0;
  for (const folder of wantedFolders()) {
    let files = filesOf(folder);
    if (files.length === 0) continue;
    if (folder === 'netns' && noNamespaces !== undefined) {
      process.env['NODEMESH_NO_NAMESPACES'] = noNamespaces;
      files = [join(HERE, 'no-namespaces.ts')];
    }
    ran += files.length;
    ok = (await runFiles(files, ONE_AT_A_TIME.has(folder) ? 1 : 2, report, totals)) && ok;
  }
  if (ran === 0) {
    process.stderr.write(`no test file matches ${process.argv.slice(2).join(' ')}\n`);
    return 1;
  }
  report.write({ type: 'test:summary', data: { file: undefined } } as never);
  for (const name of COUNTS) {
    const total = totals.get(name) ?? 0;
    const message = `${name} ${name === 'duration_ms' ? total.toFixed(0) : total}`;
    report.write({ type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } });
  }
  await new Promise<void>(resolve => report.end(resolve));
  return ok ? 0 : 1;
}

async function runFiles(
  files: string[],
  concurrency: number,
  report: NodeJS.WritableStream,
  totals: Map<string, number>,
): Promise<boolean> {
  let ok = true;
  const events = run({ files, concurrency, timeout: PER_TEST_TIMEOUT_MS, cwd: ROOT });
  for await (const event of events) {
    if (event.type === 'test:fail') ok = false;
    // The reporter lists what failed at this event: once, at the end, and not after every folder.
    if (event.type === 'test:summary' && event.data.file === undefined) continue;
    if (event.type === 'test:diagnostic' && event.data.nesting === 0) {
      const [name = '', number = ''] = event.data.message.split(' ');
      const total = totals.get(name);
      if (total !== undefined && event.data.message === `${name} ${number}`) {
        totals.set(name, total + Number(number));
        continue;
      }
    }
    // The reporter reads events in object mode; its declared type knows only text.
    report.write(event as never);
  }
  return ok;
}

function wantedFolders(): string[] {
  const there = new Set(globSync('*/**/*.test.ts', { cwd: HERE }).map(path => path.split('/', 1)[0] ?? ''));
  const wanted = positionals.length > 0 ? positionals : [...there].sort();
  const rank = (folder: string) => (ORDER.indexOf(folder) + ORDER.length + 1) % (ORDER.length + 1);
  return wanted.filter(folder => there.has(folder)).sort((a, b) => rank(a) - rank(b));
}

function filesOf(folder: string): string[] {
  const files = globSync(`${folder}/**/*.test.ts`, { cwd: HERE }).map(path => join(HERE, path));
  return files.filter(path => relative(HERE, path).includes(values.only ?? '')).sort();
}
