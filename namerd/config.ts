/**
 * namerd's configuration: the file of Linkerd's namerd (`admin`, `storage`, `namers`, `interfaces`,
 * `telemetry`) with our own kinds beside `io.l5d.*`. Unknown kinds and fields are errors; all errors come at
 * once, with line and column.
 */

import { dirname } from 'node:path';
import { ConfigError, type ConfigNode, parseYaml } from '#base/config.ts';
import { Dtab } from '#names';
import { type InterfaceConfig, readInterfaces } from './config-interfaces.ts';
import { type NamerConfig, readNamers } from './config-namers.ts';
import { Files, type ListenAddress, readHosts, readListen } from './config-reader.ts';
import { type DtabResource, dtabNamespaceProblem, dtabResource, readDtabText } from './resources/index.ts';

export interface AdminConfig extends ListenAddress {
  hosts: readonly string[];
  /** How long a stop waits for what is under way. */
  shutdownGraceMs: number;
}

export type StorageConfig =
  | { kind: 'io.l5d.inMemory'; dtabs: readonly DtabResource[] }
  | { kind: 'io.nodemesh.file'; dir: string };

export interface NamerdConfig {
  admin: AdminConfig;
  storage: StorageConfig;
  namers: readonly NamerConfig[];
  interfaces: readonly InterfaceConfig[];
  /** Where metrics are served beside the standard paths. */
  metricsPath: string;
  /** As written, without what could be a secret: for showing. */
  shown: unknown;
}

const ADMIN_PORT = 9991;
const SHUTDOWN_GRACE_MS = 10_000;
const PROMETHEUS_PATH = '/admin/metrics/prometheus';

/**
 * @param text YAML or JSON
 * @param file the name that problems carry; relative paths start from its directory
 * @throws ConfigError with every problem
 */
export function readConfig(text: string, file: string): NamerdConfig {
  const { documents, problems } = parseYaml(text, file);
  const [document, second] = documents;
  second?.problem('a second document: one is expected');
  if (document === undefined && problems.list.length === 0) problems.add(0, '', 'the configuration is empty');
  problems.throwIfAny();
  if (document === undefined) throw new ConfigError([]);
  const fields = document.fields();
  const files = new Files(file === '-' ? '.' : dirname(file));
  const config: NamerdConfig = {
    admin: readAdmin(fields.get('admin')),
    storage: readStorage(fields.need('storage'), files),
    namers: readNamers(fields.get('namers'), files),
    interfaces: readInterfaces(fields.need('interfaces'), files),
    metricsPath: readTelemetry(fields.get('telemetry')),
    shown: withoutSecrets(document.value),
  };
  fields.finish();
  problems.throwIfAny();
  return config;
}

function readAdmin(node: ConfigNode | undefined): AdminConfig {
  const fields = node?.fields();
  if (fields === undefined)
    return { ip: '127.0.0.1', port: ADMIN_PORT, hosts: [], shutdownGraceMs: SHUTDOWN_GRACE_MS };
  const admin = {
    ...readListen(fields, ADMIN_PORT),
    hosts: readHosts(fields),
    shutdownGraceMs: fields.get('shutdownGraceMs')?.integer(0, 600_000) ?? SHUTDOWN_GRACE_MS,
  };
  fields.finish();
  return admin;
}

function readStorage(node: ConfigNode | undefined, files: Files): StorageConfig {
  const fields = node?.fields();
  const kind = fields?.need('kind')?.oneOf(['io.l5d.inMemory', 'io.nodemesh.file']);
  if (fields === undefined || kind === undefined) return { kind: 'io.l5d.inMemory', dtabs: [] };
  const storage: StorageConfig =
    kind === 'io.nodemesh.file'
      ? { kind, dir: files.path(fields.need('dir')) ?? '' }
      : { kind, dtabs: readNamespaces(fields.get('namespaces')) };
  // Linkerd wants consent for storages that it calls experimental; here it says nothing.
  fields.get('experimental')?.boolean();
  fields.finish();
  return storage;
}

function readNamespaces(node: ConfigNode | undefined): DtabResource[] {
  const fields = node?.fields();
  return (fields?.names ?? []).map(name => {
    const text = fields?.get(name);
    const problem = dtabNamespaceProblem(name);
    if (problem !== undefined) (text ?? node)?.problem(problem);
    const dtab = text === undefined ? Dtab.empty : readDtabText(text);
    return dtabResource(name, dtab, String(text?.value ?? ''));
  });
}

/** Linkerd's Prometheus telemeter; its metrics are always on here, and may have a further path. */
function readTelemetry(node: ConfigNode | undefined): string {
  let path = PROMETHEUS_PATH;
  for (const item of node?.items() ?? []) {
    const fields = item.fields();
    fields.need('kind')?.oneOf(['io.l5d.prometheus']);
    const given = fields.get('path');
    path = given?.string() ?? path;
    if (!path.startsWith('/')) given?.problem("a path begins with '/'");
    fields.finish();
  }
  return path;
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [
    name,
    /token|password|secret/i.test(name) && name !== 'tokenFile' ? '[not shown]' : withoutSecrets(each),
  ]);
  return Object.fromEntries(entries);
}
