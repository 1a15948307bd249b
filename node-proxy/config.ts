/** node-proxy's configuration file: one YAML document, every mistake reported at once. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type ConfigNode, type Fields, parseYaml } from '#base/config.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { LOG_LEVELS, type LogLevel } from '#base/log.ts';
import { parseEndpoint } from '#base/net.ts';
import { type PortRange, parsePortRanges } from '#capture';
import { isTrustDomain } from '#trust';
import { REQUEST_FIELDS } from './observe/requests/request-fields.ts';
import { DEFAULT_REQUEST_LOG, type RequestLogSettings } from './observe/requests/request-log.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './policy/limits.ts';
import { DEFAULT_LIMITS, type TunnelLimits } from './tunnel/index.ts';

export interface NodeProxyConfig {
  /** This node's name, as in `spec.node` of its workloads. */
  node: string;
  /** Of every identity in this mesh, as in namerd's configuration. */
  trustDomain: string;
  namerd: { host: string; port: number; rootsFile: string; joinTokenFile: string };
  /** Unix socket for the CNI plugin and local commands. */
  socket: string;
  stateDir: string;
  admin: { ip: string; port: number };
  tunnelWorkers: number;
  workerHeapMb: number;
  /**
   * Threads that understand HTTP, shared by all pods. Each starts when a pod of its is to judge requests or first needs it;
   * all start with the proxy where HTTP was in use before a restart.
   */
  policyWorkers: number;
  policyWorkerHeapMb: number;
  /** Namespaces whose HTTP has a thread of its own. */
  isolatedNamespaces: string[];
  enrolment: { namespaces: string[]; excludedNamespaces: string[] };
  /** Addresses whose connections to a pod are not captured: the kubelet's, for probes. `node` = all of this node's. */
  probeSources: 'node' | string[];
  /** Only on these ports of a pod; empty = on all. */
  probePorts: PortRange[];
  /** A file, `stdout` or `off`. */
  accessLog: string;
  /** One line for each request that a policy worker carries. */
  requestLog: RequestLogSettings;
  logLevel: LogLevel;
  drainSeconds: number;
  whenUnresolved: 'refuse' | 'passthrough';
  /** Not ready when namerd has been out of reach for longer. */
  staleAfterSeconds: number;
  limits: TunnelLimits;
  /** Of each policy worker. */
  httpLimits: HttpLimits;
}

/** Files named in the configuration are relative to it. @throws ConfigError with every problem, MeshError without file. */
export function readConfig(file: string): NodeProxyConfig {
  const { documents, problems } = parseYaml(readText(file), file);
  const document = documents[0];
  if (document === undefined || documents.length > 1) problems.add(0, '', 'one YAML document is expected');
  const config = document === undefined ? undefined : read(document.fields(), dirname(resolve(file)));
  problems.throwIfAny();
  return config as NodeProxyConfig;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MeshError('NM_NO_CONFIG', `the configuration ${file} can't be read: ${messageOf(cause)}`, {
      by: 'config',
      cause,
      next: 'Name the right file with --config.',
    });
  }
}

function read(fields: Fields, base: string): NodeProxyConfig {
  const path = (node: ConfigNode | undefined) => resolve(base, node?.string() ?? '');
  const config: NodeProxyConfig = {
    node: name(fields.need('node')),
    trustDomain: trustDomain(fields.need('trustDomain')),
    namerd: readNamerd(fields.need('namerd'), path),
    socket: fields.get('socket')?.string() ?? '/run/nodemesh/node.sock',
    stateDir: fields.get('stateDir')?.string() ?? '/var/lib/nodemesh/node',
    admin: readAdmin(fields.get('admin')),
    tunnelWorkers: fields.get('tunnelWorkers')?.integer(1, 64) ?? 1,
    workerHeapMb: fields.get('workerHeapMb')?.integer(64, 65_536) ?? 1024,
    policyWorkers: fields.get('policyWorkers')?.integer(1, 64) ?? 1,
    policyWorkerHeapMb: fields.get('policyWorkerHeapMb')?.integer(64, 65_536) ?? 256,
    isolatedNamespaces: readIsolated(fields.get('isolatedNamespaces')),
    enrolment: readEnrolment(fields.get('enrolment')),
    probeSources: readProbeSources(fields.get('probeSources')),
    probePorts: readProbePorts(fields.get('probePorts')),
    accessLog: logFile(fields.get('accessLog'), base) ?? 'stdout',
    requestLog: readRequestLog(fields.get('requestLog'), base),
    logLevel: fields.get('logLevel')?.oneOf(LOG_LEVELS) ?? 'info',
    drainSeconds: fields.get('drainSeconds')?.number(0, 86_400) ?? 25,
    whenUnresolved: fields.get('whenUnresolved')?.oneOf(['refuse', 'passthrough']) ?? 'refuse',
    staleAfterSeconds: fields.get('staleAfterSeconds')?.number(1) ?? 300,
    limits: readLimits(fields.get('limits'), DEFAULT_LIMITS),
    httpLimits: readLimits(fields.get('httpLimits'), DEFAULT_HTTP_LIMITS),
  };
  config.socket = resolve(base, config.socket);
  config.stateDir = resolve(base, config.stateDir);
  fields.finish();
  return config;
}

function name(node: ConfigNode | undefined): string {
  const text = node?.string() ?? '';
  if (node !== undefined && !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) {
    node.problem(`'${text}' is no node name: lower-case letters, digits, '-' and '.'`);
  }
  return text;
}

function trustDomain(node: ConfigNode | undefined): string {
  const text = node?.string() ?? '';
  if (node !== undefined && !isTrustDomain(text)) node.problem(`'${text}' is no SPIFFE trust domain`);
  return text;
}

function readNamerd(
  node: ConfigNode | undefined,
  path: (node: ConfigNode | undefined) => string,
): NodeProxyConfig['namerd'] {
  const fields = node?.fields();
  const address = fields?.need('address');
  const text = address?.string() ?? '';
  const parsed = parseEndpoint(text) ?? hostPort(text);
  if (address !== undefined && parsed === undefined) address.problem(`'${text}' is not host:port`);
  const namerd = {
    host: parsed?.ip ?? '',
    port: parsed?.port ?? 0,
    rootsFile: path(fields?.need('rootsFile')),
    joinTokenFile: path(fields?.need('joinTokenFile')),
  };
  fields?.finish();
  return namerd;
}

function hostPort(text: string): { ip: string; port: number } | undefined {
  const match = /^([A-Za-z0-9]([-A-Za-z0-9.]{0,252}[A-Za-z0-9])?):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port < 1 || port > 65535 ? undefined : { ip: match[1] ?? '', port };
}

function readAdmin(node: ConfigNode | undefined): NodeProxyConfig['admin'] {
  const fields = node?.fields();
  const admin = {
    ip: fields?.get('ip')?.string() ?? '127.0.0.1',
    port: fields?.get('port')?.integer(0, 65535) ?? 9990,
  };
  fields?.finish();
  return admin;
}

function readEnrolment(node: ConfigNode | undefined): NodeProxyConfig['enrolment'] {
  const fields = node?.fields();
  const names = (field: string) =>
    fields
      ?.get(field)
      ?.items()
      .map(item => item.string() ?? '');
  const enrolment = {
    namespaces: names('namespaces') ?? [],
    excludedNamespaces: names('excludedNamespaces') ?? ['kube-system', 'nodemesh-system'],
  };
  fields?.finish();
  return enrolment;
}

/** Each costs a thread and may use `policyWorkerHeapMb`, so there is an end to it. */
const MAX_ISOLATED = 64;

function readIsolated(node: ConfigNode | undefined): string[] {
  const items = node?.items() ?? [];
  if (items.length > MAX_ISOLATED)
    node?.problem(`${items.length} namespaces; at most ${MAX_ISOLATED} can have a thread of their own`);
  const seen = new Set<string>();
  for (const item of items) {
    const text = item.string() ?? '';
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text))
      item.problem(`'${text}' is no namespace: lower-case letters, digits and '-'`);
    else if (seen.has(text)) item.problem(`'${text}' is named twice`);
    seen.add(text);
  }
  return [...seen];
}

/** @param base what a relative file is relative to. */
function logFile(node: ConfigNode | undefined, base: string): string | undefined {
  const to = node?.string();
  return to === undefined || to === 'stdout' || to === 'off' ? to : resolve(base, to);
}

function readRequestLog(node: ConfigNode | undefined, base: string): RequestLogSettings {
  const fields = node?.fields();
  const names = fields?.get('fields')?.items();
  const log: RequestLogSettings = {
    file: logFile(fields?.get('file'), base) ?? DEFAULT_REQUEST_LOG.file,
    ...(names && { fields: names.flatMap(name => name.oneOf(REQUEST_FIELDS) ?? []) }),
    sample: fields?.get('sample')?.number(0, 1) ?? DEFAULT_REQUEST_LOG.sample,
    errorsAlways: fields?.get('errorsAlways')?.boolean() ?? DEFAULT_REQUEST_LOG.errorsAlways,
  };
  fields?.finish();
  return log;
}

function readProbeSources(node: ConfigNode | undefined): 'node' | string[] {
  if (node === undefined || node.value === 'node') return 'node';
  return node.items().map(item => item.string() ?? '');
}

/** Numbers, and ranges such as `8000-8100`. */
function readProbePorts(node: ConfigNode | undefined): PortRange[] {
  return (node?.items() ?? []).flatMap(item => {
    try {
      return parsePortRanges(String(item.value ?? ''));
    } catch (error) {
      item.problem(messageOf(error));
      return [];
    }
  });
}

function readLimits<T extends object>(node: ConfigNode | undefined, defaults: T): T {
  const fields = node?.fields();
  const limits = Object.entries(defaults).map(([key, value]) => [key, fields?.get(key)?.integer(1) ?? value]);
  fields?.finish();
  return Object.fromEntries(limits) as T;
}
