/** The `namers` section: what `/#/<prefix>/…` leads to. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { MeshError } from '#base/errors.ts';
import { canonicalIp, parseEndpoint } from '#base/net.ts';
import type { Path } from '#names';
import { type Files, readPrefix } from './config-reader.ts';
import { RewriteNamer } from './namers/index.ts';

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
        return { kind, prefix, refreshMs: seconds * 1_000, dnsHosts: readHosts(fields.get('dnsHosts')) };
      }
      case 'io.l5d.rewrite':
        return readRewrite(prefix, fields);
      case 'io.nodemesh.registry':
        return { kind, prefix, dir: files.directory(fields.need('dir')) ?? '' };
    }
  }
}

function readRewrite(prefix: Path, fields: Fields): NamerConfig {
  const pattern = fields.need('pattern')?.string();
  const name = fields.need('name')?.string();
  const config = { kind: 'io.l5d.rewrite' as const, prefix, pattern: pattern ?? '', name: name ?? '' };
  try {
    if (pattern !== undefined && name !== undefined) new RewriteNamer(config);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    fields.node.problem(error.message);
  }
  return config;
}

/** Name servers, as addresses with or without a port. */
function readHosts(node: ConfigNode | undefined): string[] {
  return (node?.items() ?? []).flatMap(item => {
    const text = item.string();
    if (text === undefined) return [];
    if (canonicalIp(text) === undefined && parseEndpoint(text) === undefined)
      item.problem(`'${text}' is no address of a name server such as '10.0.0.53' or '10.0.0.53:5353'`);
    return [text];
  });
}

function overlap(a: Path, b: Path): boolean {
  return a.startsWith(b) || b.startsWith(a);
}
