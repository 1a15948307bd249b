/**
 * Where our proxies spend their time under load, from `perf`: the share of the kernel, of native code and of JavaScript,
 * and the functions with the most time of their own. Node.js runs with `--perf-basic-prof`, which tells perf the names of
 * compiled functions; the profiled run is one of its own, because that costs a little.
 */

import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Column, renderTable } from '../../deploy/demo/show/table.ts';

/** For the Node.js of the proxies. */
export const PROFILED = ['--perf-basic-prof'];
const SAMPLES_PER_SECOND = 997;
/** Shown of what we can change, and of the kernel. */
const FUNCTIONS = 25;
const KERNEL_FUNCTIONS = 8;

export function hasPerf(): boolean {
  return spawnSync('perf', ['--version']).status === 0;
}

/** Watches the processes until `load` is done. @returns the report of perf, for {@link readProfile}. */
export async function profile(pids: readonly number[], load: () => Promise<unknown>): Promise<string> {
  const file = join(tmpdir(), `nodemesh-bench-${process.pid}.perf`);
  const record = ['record', '-q', '-F', `${SAMPLES_PER_SECOND}`, '-o', file, '-p', pids.join(',')];
  const perf = spawn('perf', record, { stdio: 'ignore' });
  const ended = new Promise(resolve => perf.once('exit', resolve).once('error', resolve));
  try {
    await load();
    perf.kill('SIGINT');
    await ended;
    const wanted = ['--no-children', '--percent-limit', '0', '--field-separator', '\t', '--fields'];
    const options = ['report', '--stdio', '-i', file, ...wanted, 'overhead,dso,symbol'];
    const { stdout, stderr, status } = spawnSync('perf', options, {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      // Without a terminal to ask and without a network to look symbols up in.
      env: { ...process.env, DEBUGINFOD_URLS: '', PAGER: 'cat' },
    });
    if (status !== 0) throw new Error(`perf report: ${stderr.trim()}`);
    return stdout;
  } finally {
    perf.kill('SIGKILL');
    for (const pid of pids) rmSync(join(tmpdir(), `perf-${pid}.map`), { force: true });
    rmSync(file, { force: true });
  }
}

export type Part = 'kernel' | 'JavaScript' | 'native code';

export interface Profile {
  /** Percent of the time. */
  parts: Record<Part, number>;
  /** Most time of their own first. */
  functions: { percent: number; part: Part; name: string }[];
}

/** Reads `perf report` with the fields overhead, dso and symbol between tabs. */
export function readProfile(report: string): Profile {
  const parts: Record<Part, number> = { kernel: 0, JavaScript: 0, 'native code': 0 };
  const functions = report.split('\n').flatMap(line => {
    const [overhead = '', dso = '', symbol = ''] = line.split('\t').map(field => field.trim());
    const percent = Number(/^(\d+(?:\.\d+)?)%$/.exec(overhead)?.[1] ?? Number.NaN);
    if (Number.isNaN(percent)) return [];
    const part = partOf(dso, symbol);
    parts[part] += percent;
    return [{ percent, part, name: nameOf(symbol) }];
  });
  return { parts, functions: functions.sort((a, b) => b.percent - a.percent) };
}

function partOf(dso: string, symbol: string): Part {
  if (symbol.startsWith('[k]') || dso.startsWith('[kernel')) return 'kernel';
  if (dso.startsWith('perf-') || dso.startsWith('[JIT]') || symbol.includes('Builtins_')) return 'JavaScript';
  return 'native code';
}

/** Without the level, how far it is compiled, and the path up to the project. */
function nameOf(symbol: string): string {
  return symbol
    .replace(/^\[.\] /, '')
    .replace(/^(JS|LazyCompile|Function|Script|Builtin):[*'~+^]*/, '')
    .replace(/(?:file:\/\/)?\/\S*\/(?=(?:node-proxy|namerd|node_modules)\/)/, '');
}

export function renderProfile({ parts, functions }: Profile): string {
  const share = (part: Part) => `${part} ${parts[part].toFixed(0)} %`;
  const columns: Column<Profile['functions'][number]>[] = [
    { title: '%', right: true, cell: ({ percent }) => percent.toFixed(2) },
    { title: 'in', cell: ({ part }) => part },
    { title: 'function', cell: ({ name }) => name },
  ];
  const head = `${share('kernel')}, ${share('JavaScript')}, ${share('native code')}`;
  const shown = [
    ...functions.filter(({ part }) => part !== 'kernel').slice(0, FUNCTIONS),
    ...functions.filter(({ part }) => part === 'kernel').slice(0, KERNEL_FUNCTIONS),
  ];
  return `${head}\n\n${renderTable(columns, shown)}`;
}
