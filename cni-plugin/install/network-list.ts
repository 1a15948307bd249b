/**
 * Our entry in a network configuration: put in, taken out. Pure text to text; whatever else a configuration says is
 * kept as it is.
 */

import { MeshError } from '#base/errors.ts';
import { SUPPORTED_VERSIONS } from '../network-config.ts';
import { isObject } from '../requests.ts';

export const PLUGIN_TYPE = 'nodemesh';

/** Own fields of our entry; absent = the plugin's default. */
export interface PluginSettings {
  socket?: string;
  excludedNamespaces?: readonly string[];
  timeoutSeconds?: number;
}

export class InstallError extends MeshError {
  constructor(message: string, next: string, cause?: unknown) {
    super('NM_CNI_INSTALL', message, { by: 'config', next, cause });
  }
}

/** A `.conflist`, read so far as we need it. */
export interface NetworkList extends Record<string, unknown> {
  cniVersion: string;
  name: string;
  plugins: readonly Record<string, unknown>[];
}

/**
 * Reads a `.conflist`, or a `.conf` or `.json` with a single plugin, which becomes a list of one.
 * @returns undefined if a runtime would not take it either.
 */
export function readNetworkList(text: string): NetworkList | undefined {
  const value = parse(text);
  if (!isObject(value) || typeof value['name'] !== 'string') return undefined;
  const single = typeof value['type'] === 'string';
  const {
    cniVersion = '0.2.0',
    name,
    plugins,
  } = single
    ? { cniVersion: value['cniVersion'], name: value['name'], plugins: [withoutListFields(value)] }
    : (value as { cniVersion?: unknown; name: string; plugins?: unknown });
  if (!Array.isArray(plugins) || plugins.length === 0) return undefined;
  if (!plugins.every(plugin => isObject(plugin) && typeof plugin['type'] === 'string')) return undefined;
  if (typeof cniVersion !== 'string') return undefined;
  return { ...(single ? {} : value), cniVersion, name, plugins };
}

/** @throws InstallError if we can't be chained in this list. */
export function checkVersion({ name, cniVersion }: NetworkList): void {
  if (SUPPORTED_VERSIONS.some(version => version === cniVersion)) return;
  throw new InstallError(
    `network ${name} has cniVersion ${JSON.stringify(cniVersion)}`,
    `nodemesh can be chained in versions ${SUPPORTED_VERSIONS.join(', ')}: update the network plugin's configuration.`,
  );
}

/** The list with our entry last, and only there. */
export function withPlugin(list: NetworkList, settings: PluginSettings): NetworkList {
  return { ...list, plugins: [...others(list), { type: PLUGIN_TYPE, ...settings }] };
}

export function withoutPlugin(list: NetworkList): NetworkList {
  return { ...list, plugins: others(list) };
}

export function hasPlugin(list: NetworkList): boolean {
  return others(list).length < list.plugins.length;
}

/** Equal in content; the order of keys and the white space mean nothing. */
export function isSameList(a: NetworkList, b: NetworkList): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** @param like a text whose indentation is taken over. */
export function printList(list: NetworkList, like: string): string {
  const indent = /^\s*\{\n([ \t]+)/.exec(like)?.[1] ?? '  ';
  return `${JSON.stringify(list, null, indent)}\n`;
}

function others({ plugins }: NetworkList): Record<string, unknown>[] {
  return plugins.filter(({ type }) => type !== PLUGIN_TYPE);
}

function withoutListFields({
  cniVersion: _version,
  name: _name,
  ...plugin
}: Record<string, unknown>): Record<string, unknown> {
  return plugin;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Runtimes pass over such a file; so do we.
    return undefined;
  }
}
