/** The `namers` section: what `/#/<prefix>/…` leads to. */

import type { ConfigNode } from '#base/config.ts';
import type { Path } from '#names';
import { type Files, readPrefix } from './config-reader.ts';

export type NamerConfig = { prefix: Path } & (
  | { kind: 'io.l5d.fs'; rootDir: string }
  | { kind: 'io.l5d.dnssrv'; refreshMs: number; dnsHosts: readonly string[] }
  | { kind: 'io.l5d.rewrite'; pattern: string; name: string }
  | { kind: 'io.nodemesh.registry'; dir: string }
);

const NAMER_KINDS = ['io.l5d.fs', 'io.l5d.dnssrv', 'io.l5d.rewrite', 'io.nodemesh.registry'] as const;
const DEFAULT_PREFIX: Readonly<Record<(typeof NAMER_KINDS)[number], string>> = {
  'io.l5d.fs': '/io.l5d.fs',
  'io.l5d.dnssrv': '/io.l5d.dnssrv',
  'io.l5d.rewrite': '/io.l5d.rewrite',
  'io.nodemesh.registry': '/registry',
};

/** Overlapping prefixes are refused, as Linkerd's namerd does: which namer answers must not be a question. */
export function readNamers(node: ConfigNode | undefined, files: Files): NamerConfig[] {
  const namers: NamerConfig[] = [];
  for (const item of node?.items() ?? []) {
    const namer = readNamer(item, files);
    if (namer === undefined) continue;
    const other = namers.find(({ prefix }) => overlap(prefix, namer.prefix));
    if (other === undefined) namers.push(namer);
    else item.problem(`its prefix ${namer.prefix} overlaps with ${other.prefix} of ${other.kind}`);
  }
  const registries = namers.filter(({ kind }) => kind === 'io.nodemesh.registry');
  if (registries.length > 1)
    node?.problem('more than one io.nodemesh.registry: put all files into one directory');
  return namers;
}

function readNamer(node: ConfigNode, files: Files): NamerConfig | undefined {
  const fields = node.fields();
  const kind = fields.need('kind')?.oneOf(NAMER_KINDS);
  if (kind === undefined) return undefined;
  // Linkerd wants consent for namers that it calls experimental; here it says nothing.
  fields.get('experimental')?.boolean();
  const prefixNode = kind === 'io.l5d.rewrite' ? fields.need('prefix') : fields.get('prefix');
  const prefix = readPrefix(prefixNode, DEFAULT_PREFIX[kind]);
  const namer = readKind(kind);
  fields.finish();
  return namer;

  function readKind(kind: (typeof NAMER_KINDS)[number]): NamerConfig {
    switch (kind) {
      case 'io.l5d.fs':
        return { kind, prefix, rootDir: files.directory(fields.need('rootDir')) ?? '' };
      case 'io.l5d.dnssrv': {
        const seconds = fields.get('refreshIntervalSeconds')?.number(0.1, 86_400) ?? 5;
        const hosts = fields.get('dnsHosts')?.items() ?? [];
        return { kind, prefix, refreshMs: seconds * 1_000, dnsHosts: hosts.map(host => host.string() ?? '') };
      }
      case 'io.l5d.rewrite':
        return {
          kind,
          prefix,
          pattern: fields.need('pattern')?.string() ?? '',
          name: fields.need('name')?.string() ?? '',
        };
      case 'io.nodemesh.registry':
        return { kind, prefix, dir: files.directory(fields.need('dir')) ?? '' };
    }
  }
}

function overlap(a: Path, b: Path): boolean {
  return a.startsWith(b) || b.startsWith(a);
}
