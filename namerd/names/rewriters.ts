/**
 * The system names `/$/…` that only rewrite or decide, without asking anybody: `nil`, `fail` and the
 * `io.buoyant.*` rewriters. A closed list: no name ever loads code. What a rewriter does not understand is `~`.
 */

import { bracketedHost } from './label.ts';
import { Path } from './path.ts';
import { EMPTY, FAIL, leaf, type NameTree, NEG } from './tree.ts';

interface Rewriter {
  /** How many elements it replaces; a shorter path is `~`. */
  consumes: number;
  /** The elements that stand in their place, or undefined for `~`. Given exactly `consumes` elements. */
  rewrite: (...elems: string[]) => readonly string[] | undefined;
}

const HOST = /^[A-Za-z0-9.:_-]+$/;
const METHOD = /^[A-Z]+$/;
/** A port's name as a DNS label (RFC 1123 §2.1), or its number. */
const PORT = /^[a-z0-9][-a-z0-9]{0,62}$/;

const REWRITERS: ReadonlyMap<string, Rewriter> = new Map<string, Rewriter>([
  ['io.buoyant.hostportPfx', { consumes: 2, rewrite: (pfx = '', both = '') => hostAndPort(pfx, both) }],
  ['io.buoyant.porthostPfx', { consumes: 2, rewrite: (pfx = '', both = '') => portAndHost(pfx, both) }],
  ['io.buoyant.http.anyMethod', { consumes: 1, rewrite: verb => (isMethod(verb) ? [] : undefined) }],
  [
    'io.buoyant.http.anyMethodPfx',
    { consumes: 2, rewrite: (pfx = '', verb) => (isMethod(verb) ? [pfx] : undefined) },
  ],
  ['io.buoyant.http.anyHost', { consumes: 1, rewrite: host => (isHost(host) ? [] : undefined) }],
  [
    'io.buoyant.http.anyHostPfx',
    { consumes: 2, rewrite: (pfx = '', host) => (isHost(host) ? [pfx] : undefined) },
  ],
  [
    'io.buoyant.http.subdomainOf',
    { consumes: 2, rewrite: (domain = '', host = '') => subdomain(domain, host) },
  ],
  [
    'io.buoyant.http.subdomainOfPfx',
    { consumes: 3, rewrite: (domain = '', pfx = '', host = '') => behind(pfx, subdomain(domain, host)) },
  ],
  ['io.buoyant.http.domainToPath', { consumes: 1, rewrite: (host = '') => reversed(host) }],
  [
    'io.buoyant.http.domainToPathPfx',
    { consumes: 2, rewrite: (pfx = '', host = '') => behind(pfx, reversed(host)) },
  ],
]);

/** The names after `/$/` that this file answers. */
export const SYSTEM_REWRITERS: readonly string[] = ['nil', 'fail', ...REWRITERS.keys()];

/** One step of a path below `/$/`, or undefined when its name is not one of {@link SYSTEM_REWRITERS}. */
export function rewriteSystemPath(path: Path): NameTree<Path> | undefined {
  const [space, name = ''] = path.elems;
  if (space !== '$') return undefined;
  if (name === 'nil') return EMPTY;
  if (name === 'fail') return FAIL;
  const rewriter = REWRITERS.get(name);
  if (rewriter === undefined) return undefined;
  const given = path.elems.slice(2);
  if (given.length < rewriter.consumes) return NEG;
  const made = rewriter.rewrite(...given.slice(0, rewriter.consumes));
  if (made === undefined || made.includes('')) return NEG;
  return leaf(new Path([...made, ...given.slice(rewriter.consumes)]));
}

function isMethod(text = ''): boolean {
  return METHOD.test(text);
}

function isHost(text = ''): boolean {
  return HOST.test(text) || (text !== '' && bracketedHost(text, 0) === text.length);
}

function hostAndPort(pfx: string, both: string): readonly string[] | undefined {
  const split = splitAuthority(both);
  return split && [pfx, split.host, split.port];
}

function portAndHost(pfx: string, both: string): readonly string[] | undefined {
  const split = splitAuthority(both);
  return split && [pfx, split.port, split.host];
}

/** `host:port` with exactly one colon, or `[ipv6]:port`, whose host loses its brackets. */
function splitAuthority(both: string): { host: string; port: string } | undefined {
  const v6 = both.startsWith('[') && bracketedHost(both, 0) === both.length;
  const [host = '', port = '', ...more] = v6 ? both.slice(1).split(/\]:?/) : both.split(':');
  return host === '' || more.length > 0 || !PORT.test(port) ? undefined : { host, port };
}

/** What stands before `.domain` in the host, whose port does not count. */
function subdomain(domain: string, host: string): readonly string[] | undefined {
  if (!HOST.test(domain) || !HOST.test(host)) return undefined;
  const colon = host.indexOf(':');
  const bare = colon > 0 ? host.slice(0, colon) : host;
  return bare.endsWith(`.${domain}`) ? [bare.slice(0, -domain.length - 1)] : undefined;
}

/** `a.b.c` → c, b, a. A final dot (a fully qualified name) is ignored. */
function reversed(host: string): readonly string[] | undefined {
  return HOST.test(host) ? host.replace(/\.$/, '').split('.').reverse() : undefined;
}

function behind(pfx: string, elems: readonly string[] | undefined): readonly string[] | undefined {
  return elems && [pfx, ...elems];
}
