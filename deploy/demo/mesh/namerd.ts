/** namerd as the demo runs it: files in, one process, killed and started again at will. */

import { createPrivateKey, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { generateKey, issueCertificate } from '#trust';
import { Child } from '../ground/child.ts';
import { WIRE_IP } from '../ground/wire.ts';
import { ask, mustAsk } from './http.ts';

const PROJECT = dirname(dirname(dirname(import.meta.dirname)));
const API = { host: WIRE_IP, port: 4180 };
const MINUTE_MS = 60_000;
export const TRUST_DOMAIN = 'demo.nodemesh';
export const MESH_NAMESPACE = 'nodemesh-system';
export const DTAB_NAMESPACE = 'default';

export interface NamerdOptions {
  folder: string;
  registry: string;
  nodes: readonly string[];
}

/** A resource, as far as it is named. */
export interface NamedDocument {
  kind: string;
  metadata: { name: string; namespace: string };
}

export class Namerd {
  /** `host:port` for node proxies. */
  readonly meshAddress = `${WIRE_IP}:4321`;
  /** The certificates that node proxies trust. */
  readonly rootsFile: string;
  readonly #folder: string;
  readonly #configFile: string;
  #child: Child | undefined;

  constructor({ folder, registry, nodes }: NamerdOptions) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    const ca = join(folder, 'ca');
    this.rootsFile = join(ca, 'roots.pem');
    for (const node of nodes)
      writeFileSync(this.tokenFile(node), randomBytes(24).toString('hex'), { mode: 0o600 });
    this.#configFile = join(folder, 'namerd.yaml');
    const config = {
      admin: { ip: WIRE_IP, port: 9991 },
      storage: { kind: 'io.nodemesh.file', dir: join(folder, 'storage') },
      namers: [{ kind: 'io.nodemesh.registry', dir: registry }],
      interfaces: [
        { kind: 'io.l5d.httpController', ip: API.host, port: API.port },
        {
          kind: 'io.nodemesh.mesh',
          ip: WIRE_IP,
          port: 4321,
          trustDomain: TRUST_DOMAIN,
          dtabNamespace: DTAB_NAMESPACE,
          meshNamespace: MESH_NAMESPACE,
          ca: { dir: ca },
          nodes: nodes.map(name => ({ name, tokenFile: this.tokenFile(name) })),
        },
      ],
    };
    writeFileSync(this.#configFile, stringify(config));
  }

  tokenFile(node: string): string {
    return join(this.#folder, `${node}.token`);
  }

  /** Starts a process and waits until its control API answers. */
  async start(): Promise<void> {
    this.#child = new Child({
      name: 'namerd',
      command: [process.execPath, join(PROJECT, 'namerd/main.ts'), this.#configFile],
      logFile: join(this.#folder, 'namerd.log'),
    });
    await this.#child.until('ready', async () => (await ask(API, '/api/1/dtabs')).status === 200);
  }

  /** As a crash would: nothing is said goodbye to. */
  async kill(): Promise<void> {
    await this.#child?.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** Replaces the dtab that all names of the mesh go through; empty text for none. */
  async setDtab(dtab: string): Promise<void> {
    const path = `/api/1/dtabs/${DTAB_NAMESPACE}`;
    const { status } = await ask(API, path);
    const there = status === 200;
    await mustAsk(API, path, { method: there ? 'PUT' : 'POST', body: dtab, type: 'application/dtab' });
  }

  /** Stores resource documents (policies), or removes them. */
  async apply(...documents: readonly object[]): Promise<void> {
    await this.#namerctl('apply', documents);
  }

  async remove(...documents: readonly object[]): Promise<void> {
    await this.#namerctl('delete', documents);
  }

  /**
   * A certificate of the mesh with its key and the roots, all as PEM, made with the authority's own key: for a peer
   * that speaks the mesh's protocol without being part of it.
   */
  async certificate(uri: string): Promise<{ key: string; cert: string; ca: string }> {
    const ca = readFileSync(this.rootsFile, 'utf8');
    const privateKey = createPrivateKey(readFileSync(join(dirname(this.rootsFile), 'root.key')));
    const { publicKey, privateKeyPem } = await generateKey();
    const now = Date.now();
    const validity = { notBefore: now - MINUTE_MS, notAfter: now + 10 * MINUTE_MS };
    const cert = issueCertificate({ issuer: { certPem: ca, privateKey }, publicKey, uri, ...validity });
    return { key: privateKeyPem, cert, ca };
  }

  /** Stores a document through the control API itself, which is faster than a command. Throws why it is refused. */
  async store(document: NamedDocument): Promise<void> {
    const options = { method: 'PUT', body: JSON.stringify(document), type: 'application/json' };
    await mustAsk(API, pathOf(document), options);
  }

  /** Deletes it if it is there. */
  async discard(document: NamedDocument): Promise<void> {
    const { status, body } = await ask(API, pathOf(document), { method: 'DELETE' });
    if (status >= 300 && status !== 404) throw new Error(`DELETE ${pathOf(document)}: ${status} ${body}`);
  }

  async #namerctl(verb: string, documents: readonly object[]): Promise<void> {
    const file = join(this.#folder, 'resources.yaml');
    writeFileSync(file, documents.map(document => stringify(document)).join('---\n'));
    const child = new Child({
      name: `namerctl ${verb}`,
      command: [process.execPath, join(PROJECT, 'namerd/namerctl.ts'), verb, '-f', file],
      env: { NAMERCTL_BASE_URL: `http://${API.host}:${API.port}` },
      logFile: join(this.#folder, 'namerctl.log'),
    });
    const how = await child.exited;
    if (how !== 'exit 0') throw new Error(`namerctl ${verb} ${how}: ${child.tail()}`);
  }
}

function pathOf({ kind, metadata: { namespace, name } }: NamedDocument): string {
  const plural = kind.toLowerCase().replace(/y$/, 'ie');
  return `/api/1/resources/${plural}s/${namespace}/${name}`;
}
