/** The `interfaces` section: what namerd serves, and to whom. */

import type { SecureContextOptions } from 'node:tls';
import type { ConfigNode, Fields } from '#base/config.ts';
import { isTrustDomain } from '#trust';
import { type JoinEntry, MIN_TOKEN_LENGTH, tokenSha256 } from './ca/index.ts';
import { type Files, type ListenAddress, readHosts, readListen } from './config-reader.ts';
import { dnsLabelProblem, dnsSubdomainProblem, dtabNamespaceProblem } from './resources/index.ts';

export type ServerTls = SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean };

export interface ControlConfig extends ListenAddress {
  kind: 'io.l5d.httpController';
  hosts: readonly string[];
  tls: ServerTls | undefined;
}

export type AuthorityConfig =
  | { type: 'own'; dir: string }
  /** PEM texts, as the files hold them. */
  | { type: 'given'; certificates: string; key: string };

export interface MeshConfig extends ListenAddress {
  kind: 'io.nodemesh.mesh';
  trustDomain: string;
  /** The dtab that is appended to the base dtab for every captured connection. */
  dtabNamespace: string;
  /** Policies without selector in this namespace hold for the whole mesh. */
  meshNamespace: string;
  certificateTtlMs: number;
  authority: AuthorityConfig;
  nodes: readonly JoinEntry[];
}

export type InterfaceConfig = ControlConfig | MeshConfig;

const INTERFACE_KINDS = ['io.l5d.httpController', 'io.nodemesh.mesh'] as const;
const CONTROL_PORT = 4180;
const MESH_PORT = 4321;
const HOUR_MS = 3_600_000;
const MAX_NODES = 10_000;

export function readInterfaces(node: ConfigNode | undefined, files: Files): InterfaceConfig[] {
  const interfaces: InterfaceConfig[] = [];
  for (const item of node?.items() ?? []) {
    const fields = item.fields();
    const kind = fields.need('kind')?.oneOf(INTERFACE_KINDS);
    if (kind === undefined) continue;
    if (interfaces.some(other => other.kind === kind)) item.problem(`the second ${kind}: one is enough`);
    interfaces.push(
      kind === 'io.l5d.httpController' ? readControl(kind, fields, files) : readMesh(kind, fields, files),
    );
    fields.finish();
  }
  return interfaces;
}

function readControl(kind: ControlConfig['kind'], fields: Fields, files: Files): ControlConfig {
  const tls = fields.get('tls');
  return {
    kind,
    ...readListen(fields, CONTROL_PORT),
    hosts: readHosts(fields),
    tls: tls === undefined ? undefined : readTls(tls.fields(), files),
  };
}

function readTls(fields: Fields, files: Files): ServerTls {
  const cert = files.text(fields.need('certPath')) ?? '';
  const key = files.text(fields.need('keyPath')) ?? '';
  const between = files.text(fields.get('intermediateCertsPath'));
  const caNode = fields.get('caCertPath');
  const ca = files.text(caNode);
  const required = fields.get('requireClientAuth');
  const requestCert = required?.boolean() ?? false;
  if (requestCert && caNode === undefined)
    required?.problem("'caCertPath' must say which clients are trusted");
  fields.finish();
  return {
    cert: between === undefined ? cert : `${cert.trimEnd()}\n${between}`,
    key,
    ...(ca === undefined ? {} : { ca }),
    requestCert,
    rejectUnauthorized: requestCert,
  };
}

function readMesh(kind: MeshConfig['kind'], fields: Fields, files: Files): MeshConfig {
  const hours = fields.get('certificateTtlHours')?.number(1 / 60, 24 * 90) ?? 24;
  return {
    kind,
    ...readListen(fields, MESH_PORT),
    trustDomain: checked(fields.need('trustDomain'), trustDomainProblem) ?? '',
    dtabNamespace: checked(fields.get('dtabNamespace'), dtabNamespaceProblem) ?? 'default',
    meshNamespace: checked(fields.get('meshNamespace'), dnsLabelProblem) ?? 'nodemesh-system',
    certificateTtlMs: hours * HOUR_MS,
    authority: readAuthority(fields.need('ca'), files),
    nodes: readNodes(fields.get('nodes'), files),
  };
}

function trustDomainProblem(text: string): string | undefined {
  return isTrustDomain(text) ? undefined : `'${text}' is no trust domain such as 'demo.mesh'`;
}

function checked(
  node: ConfigNode | undefined,
  problemOf: (text: string) => string | undefined,
): string | undefined {
  const text = node?.string();
  const problem = text === undefined ? undefined : problemOf(text);
  if (problem !== undefined) node?.problem(problem);
  return text;
}

function readAuthority(node: ConfigNode | undefined, files: Files): AuthorityConfig {
  const none: AuthorityConfig = { type: 'own', dir: '' };
  if (node === undefined) return none;
  const fields = node.fields();
  const dir = fields.get('dir');
  const cert = fields.get('rootCert');
  const key = fields.get('rootKey');
  fields.finish();
  if ((dir === undefined) === (cert === undefined && key === undefined)) {
    node.problem("give either 'dir' (namerd makes its own root there) or 'rootCert' and 'rootKey'");
    return none;
  }
  if (dir !== undefined) return { type: 'own', dir: files.path(dir) ?? '' };
  if (cert === undefined || key === undefined) node.problem("'rootCert' and 'rootKey' belong together");
  return { type: 'given', certificates: files.text(cert) ?? '', key: files.text(key) ?? '' };
}

function readNodes(node: ConfigNode | undefined, files: Files): JoinEntry[] {
  const items = node?.items() ?? [];
  if (items.length > MAX_NODES) node?.problem(`${items.length} nodes: at most ${MAX_NODES}`);
  const names = new Set<string>();
  return items.slice(0, MAX_NODES).map(item => {
    const fields = item.fields();
    const nameNode = fields.need('name');
    const name = checked(nameNode, nodeNameProblem) ?? '';
    if (names.has(name)) nameNode?.problem(`node '${name}' stands here twice`);
    names.add(name);
    const hash = readToken(item, fields, files);
    fields.finish();
    return { name, tokenSha256: hash };
  });
}

/** As `spec.node` of a Workload: with any other name a node could join, and no workload be on it. */
function nodeNameProblem(text: string): string | undefined {
  const problem = dnsSubdomainProblem(text);
  return problem === undefined ? undefined : `no node name: ${problem}`;
}

function readToken(item: ConfigNode, fields: Fields, files: Files): string {
  const file = fields.get('tokenFile');
  const hash = fields.get('tokenSha256');
  if ((file === undefined) === (hash === undefined)) {
    item.problem("give either 'tokenFile' or 'tokenSha256'");
    return '';
  }
  if (hash !== undefined) {
    return (
      checked(hash, text =>
        /^[0-9a-fA-F]{64}$/.test(text) ? undefined : '64 hexadecimal digits are expected',
      ) ?? ''
    );
  }
  const token = files.text(file)?.trim();
  if (token !== undefined && token.length < MIN_TOKEN_LENGTH)
    file?.problem(`the token is shorter than ${MIN_TOKEN_LENGTH} characters: it could be guessed`);
  return tokenSha256(token ?? '');
}
