/** What the processes of the mesh API bench say to one another. Times are of the machine's monotonic clock. */

export interface Scale {
  proxies: number;
  /** Names that each proxy watches, beside its node and the trust bundle. */
  names: number;
  /** Names that there are. The first is watched by every proxy. */
  allNames: number;
  replicas: number;
}

export interface ServerStart {
  source: 'fake' | 'registry';
  scale: Scale;
  /** 0: any. */
  port: number;
  /** The authority's directory; kept when the server is replaced. */
  dir: string;
}

export type ToServer = { type: 'change'; name: number; mark: number } | { type: 'stats' };

export type FromServer =
  | { type: 'listening'; port: number; roots: readonly string[]; atMs: number }
  | { type: 'changed'; mark: number; atMs: number }
  | { type: 'stats'; streams: number; watches: number; topics: number };

export interface ProxiesStart {
  first: number;
  count: number;
  scale: Scale;
  port: number;
  roots: readonly string[];
}

export type FromProxies =
  /** Every proxy has every state. */
  | { type: 'ready'; atMs: number }
  /** Every proxy has this mark; when each had it. */
  | { type: 'marked'; mark: number; atMs: number[] };

export const TRUST_DOMAIN = 'bench.test';
export const TOKEN = 'the token of every simulated node';

export function nodeName(i: number): string {
  return `node-${i}`;
}

export function serviceName(i: number): string {
  return `s${i}`;
}

export function pathOf(i: number): string {
  return `/svc/shop/${serviceName(i)}/http`;
}

/** The names that proxy `i` watches: the first, and others spread evenly. */
export function namesOf(i: number, { names, allNames }: Scale): number[] {
  const others = Math.min(names, allNames) - 1;
  const start = (i * others) % Math.max(allNames - 1, 1);
  return [0, ...Array.from({ length: others }, (_, j) => 1 + ((start + j) % (allNames - 1)))];
}

export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
