/**
 * Our part of the network configuration, as the runtime passes it on standard input. Strict: an unknown field is an error
 * by name, since a misspelt `excludedNamespaces` would show only when a pod can't start.
 */

import { canonicalIp } from '#base/net.ts';
import { CniError, CODE } from './cni-error.ts';
import { type Attachment, DEFAULT_SOCKET, isObject } from './requests.ts';

export const SUPPORTED_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
/** Named in errors that happen before the configuration could be read. */
export const NEWEST_VERSION = '1.1.0';

/** Pods of these namespaces start even if node-proxy does not run: else it could not start its own cluster. */
export const DEFAULT_EXCLUDED_NAMESPACES: readonly string[] = ['kube-system', 'nodemesh-system'];

const DEFAULT_TIMEOUT_SECONDS = 10;
/** Runtimes give up after two minutes or more. */
const MAX_TIMEOUT_SECONDS = 120;
/** Two orders of magnitude beyond a real one. */
export const MAX_CONFIG_BYTES = 4 << 20;

export interface NetworkConfig {
  cniVersion: string;
  socket: string;
  excludedNamespaces: ReadonlySet<string>;
  timeoutMs: number;
  /** The result of the plugin before us, to be passed on as it is; undefined if there is none. */
  prevResult: Record<string, unknown> | undefined;
  /** Addresses of the pod in `prevResult`, canonical. */
  ips: readonly string[];
  /** From `args.cni.labels`, a convention of CNI. */
  labels: Readonly<Record<string, string>> | undefined;
  /** GC only. */
  validAttachments: readonly Attachment[];
}

/** Fields of the specification that runtimes add or that mean nothing to us. */
const FOREIGN_FIELDS = new Set([
  'name',
  'type',
  'prevResult',
  'args',
  'capabilities',
  'runtimeConfig',
  'ipMasq',
  'ipam',
  'dns',
]);
const OWN_FIELDS = ['cniVersion', 'socket', 'excludedNamespaces', 'timeoutSeconds'];

/** @throws CniError 1, 2, 6 or 7; all problems of a kind at once. */
export function readNetworkConfig(text: string): NetworkConfig {
  const fields = parseConfig(text);
  const cniVersion = readVersion(fields);
  const unknown = Object.keys(fields).filter(
    key => !FOREIGN_FIELDS.has(key) && !OWN_FIELDS.includes(key) && !key.startsWith('cni.dev/'),
  );
  if (unknown.length > 0)
    throw new CniError(
      CODE.unsupportedField,
      `unknown ${unknown.length === 1 ? 'field' : 'fields'} ${unknown.map(key => `"${key}": ${JSON.stringify(fields[key])}`).join(', ')}`,
      `Own fields of type nodemesh are ${OWN_FIELDS.slice(1).join(', ')}.`,
    );

  const problems: string[] = [];
  const { socket = DEFAULT_SOCKET, excludedNamespaces = DEFAULT_EXCLUDED_NAMESPACES } = fields;
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, prevResult } = fields;
  // sun_path holds 108 bytes with its end.
  if (typeof socket !== 'string' || !socket.startsWith('/') || Buffer.byteLength(socket) > 107)
    problems.push('"socket" must be an absolute path of at most 107 bytes');
  if (!isTexts(excludedNamespaces)) problems.push('"excludedNamespaces" must be a list of names');
  if (typeof timeoutSeconds !== 'number' || !(timeoutSeconds > 0 && timeoutSeconds <= MAX_TIMEOUT_SECONDS))
    problems.push(`"timeoutSeconds" must be a number above 0 and at most ${MAX_TIMEOUT_SECONDS}`);
  if (prevResult !== undefined && !isObject(prevResult)) problems.push('"prevResult" must be an object');
  const labels = readLabels(fields['args'], problems);
  const validAttachments = readAttachments(fields['cni.dev/valid-attachments'], problems);
  if (problems.length > 0)
    throw new CniError(CODE.badConfig, problems.join('; '), 'Correct the CNI configuration of this node.');
  return {
    cniVersion,
    socket: socket as string,
    excludedNamespaces: new Set(excludedNamespaces as readonly string[]),
    timeoutMs: (timeoutSeconds as number) * 1000,
    prevResult: prevResult as Record<string, unknown> | undefined,
    ips: addressesOf(prevResult),
    labels,
    validAttachments,
  };
}

/** `cniVersion` of a configuration that may be anything, for error results and VERSION. */
export function versionOf(text: string): string {
  try {
    const { cniVersion } = JSON.parse(text) as { cniVersion?: unknown };
    return typeof cniVersion === 'string' ? cniVersion : NEWEST_VERSION;
  } catch {
    return NEWEST_VERSION;
  }
}

/** True if version `a` is `b` or later. */
export function isAtLeast(a: string, b: (typeof SUPPORTED_VERSIONS)[number]): boolean {
  const versions: readonly string[] = SUPPORTED_VERSIONS;
  return versions.indexOf(a) >= versions.indexOf(b);
}

function parseConfig(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CniError(CODE.undecodable, 'the network configuration is no JSON', String(cause));
  }
  if (isObject(value)) return value;
  throw new CniError(CODE.undecodable, 'the network configuration is no JSON object');
}

function readVersion({ cniVersion }: Record<string, unknown>): string {
  const version = SUPPORTED_VERSIONS.find(version => version === cniVersion);
  if (version !== undefined) return version;
  throw new CniError(
    CODE.incompatibleVersion,
    `cniVersion ${JSON.stringify(cniVersion) ?? 'is missing'}${cniVersion === undefined ? '' : ' is not supported'}`,
    `Supported are ${SUPPORTED_VERSIONS.join(', ')}.`,
  );
}

/** `args: { cni: { labels: [{ key, value }] } }` */
function readLabels(args: unknown, problems: string[]): Record<string, string> | undefined {
  const cni = isObject(args) ? args['cni'] : undefined;
  const labels = isObject(cni) ? cni['labels'] : undefined;
  if (labels === undefined) return undefined;
  const pairs = Array.isArray(labels) ? labels : [undefined];
  const entries = pairs.flatMap((pair): [string, string][] => {
    const { key, value } = isObject(pair) ? pair : {};
    return typeof key === 'string' && typeof value === 'string' ? [[key, value]] : [];
  });
  if (entries.length !== pairs.length)
    problems.push('"args.cni.labels" must be a list of { "key", "value" }');
  return Object.fromEntries(entries);
}

function readAttachments(value: unknown, problems: string[]): Attachment[] {
  if (value === undefined) return [];
  const list = Array.isArray(value) ? value : [undefined];
  const attachments = list.flatMap((one): Attachment[] => {
    const { containerID, ifname } = isObject(one) ? one : {};
    return typeof containerID === 'string' && typeof ifname === 'string'
      ? [{ containerId: containerID, ifName: ifname }]
      : [];
  });
  if (attachments.length !== list.length)
    problems.push('"cni.dev/valid-attachments" must be a list of { "containerID", "ifname" }');
  return attachments;
}

/** `ips: [{ address: '10.0.0.2/24' }]` of results since 0.3.0. Addresses we cannot read are not ours to complain about. */
function addressesOf(result: unknown): string[] {
  const ips = isObject(result) && Array.isArray(result['ips']) ? result['ips'] : [];
  return ips.flatMap((entry: unknown) => {
    const address = isObject(entry) ? entry['address'] : undefined;
    return typeof address === 'string' ? (canonicalIp(address.replace(/\/\d+$/, '')) ?? []) : [];
  });
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(item => typeof item === 'string');
}
