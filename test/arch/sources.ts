/** Reads the source tree for the tests of this folder: which files there are and what each one imports. */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export const ROOT = dirname(dirname(import.meta.dirname));
export const TOP_FOLDERS = ['namerd', 'node-proxy', 'cni-plugin', 'deploy', 'bench', 'test'] as const;

export interface Import {
  /** As written. */
  specifier: string;
  /** Path from the root for a file of ours, the package's name (`node:fs`, `yaml`) for anything else. */
  target: string;
  ours: boolean;
  line: number;
  /** `import type` and `export type`: nothing is loaded. */
  typeOnly: boolean;
}

export interface Source {
  /** Path from the root, `/`-separated. */
  path: string;
  text: string;
  imports: Import[];
}

const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
export const dependencies = new Set(Object.keys(packageJson.dependencies));
const aliases = Object.entries(packageJson.imports as Record<string, string>);

export function allSources(): Source[] {
  return globSync(`{${TOP_FOLDERS.join(',')}}/**/*.{ts,mjs}`, { cwd: ROOT })
    .filter(path => !path.includes('node_modules/'))
    .sort()
    .map(path => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

/** Finds `import … from`, `export … from`, `import '…'`, `import('…')` and `new URL('…', import.meta.url)`. */
export function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const pattern =
    /\b(?:import|export)\s(?:type\s)?[^'"`;()]*?\bfrom\s*(['"])([^'"\n]+)\1|\bimport\s*\(?\s*(['"])([^'"\n]+)\3|\bnew URL\(\s*(['"])([^'"\n]+)\5\s*,\s*import\.meta\.url/g;
  return [...code.matchAll(pattern)].map(match => {
    const specifier = match[2] ?? match[4] ?? match[6] ?? '';
    const line = code.slice(0, match.index).split('\n').length;
    const typeOnly = /^(import|export)\s+type\b/.test(match[0]);
    return { specifier, line, typeOnly, ...resolve(path, specifier) };
  });
}

/** Every file of ours that is loaded with `entry`, itself included. */
export function loadedWith(entry: string, sources: readonly Source[]): Set<string> {
  const byPath = new Map(sources.map(source => [source.path, source]));
  const loaded = new Set([entry]);
  for (const path of loaded) {
    for (const { target, ours, typeOnly } of byPath.get(path)?.imports ?? [])
      if (ours && !typeOnly) loaded.add(target);
  }
  return loaded;
}

/** Every cycle among `edges` (file → files) as the list of its members, one per strongly connected group. */
export function cyclesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    low.set(node, order.get(node)!);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== order.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1 || edges.get(node)?.includes(node)) cycles.push(group.sort());
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return cycles;
}

function resolve(from: string, specifier: string): { target: string; ours: boolean } {
  if (specifier.startsWith('.')) return { target: normalize(join(dirname(from), specifier)), ours: true };
  for (const [alias, file] of aliases) {
    const [before = '', after] = alias.split('*');
    if (after === undefined ? specifier !== alias : !specifier.startsWith(before)) continue;
    return { target: normalize(file.replace('*', specifier.slice(before.length))), ours: true };
  }
  const scoped = specifier.startsWith('@') ? 2 : 1;
  const name = specifier.split('/').slice(0, scoped).join('/');
  return { target: specifier.startsWith('node:') ? specifier : name, ours: false };
}

/** Blanks comments but keeps line breaks, so that line numbers stay right; strings are left alone. */
function withoutComments(text: string): string {
  const pattern =
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|(?<![:\\/])\/\/[^\n]*/g;
  return text.replace(pattern, part =>
    part.startsWith('/*') || part.startsWith('//') ? part.replace(/[^\n]/g, ' ') : part,
  );
}
