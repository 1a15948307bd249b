/** A mesh API to test against: a real server with a real authority, over a source whose states a test sets. */

import type { AddressState, MeshCredentials, NameState, NodeState, NodeWorkload, TrustState } from '#api';
import { MeshClient } from '#api';
import { type Clock, systemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { Cell, firstWhere } from '#base/watch.ts';
import { createCsr, generateKey } from '#trust';
import { type Authority, Certifier, givenAuthority, JoinTokens, tokenSha256 } from '../../namerd/ca/index.ts';
import { MeshServer, type MeshSource } from '../../namerd/serve/mesh/index.ts';
import { HOUR, rootAuthority } from './authority.ts';

export const TRUST_DOMAIN = 'mesh.test';
export const TOKEN = 'a token that is long enough';
export const NODES = ['node-1', 'node-2'];

type Source<T> = Cell<T | undefined | null>;

export class FakeSource implements MeshSource {
  readonly trust: Source<TrustState>;
  readonly reports: { node: string; workloads: readonly string[] }[] = [];
  /** Awaited before a report counts. */
  reportGate: Promise<void> = Promise.resolve();
  readonly #cells = new Map<string, Source<unknown>>();

  constructor(trust: TrustState) {
    this.trust = new Cell<TrustState | undefined | null>(trust);
  }

  name(key: string): Source<NameState> {
    return this.#cell(`name ${key}`) as Source<NameState>;
  }

  address(key: string): Source<AddressState> {
    return this.#cell(`address ${key}`) as Source<AddressState>;
  }

  node(key: string): Source<NodeState> {
    return this.#cell(`node ${key}`) as Source<NodeState>;
  }

  watchName(key: string): Source<NameState> {
    return this.name(key);
  }

  watchAddress(key: string): Source<AddressState> {
    return this.address(key);
  }

  watchNode(node: string): Source<NodeState> {
    return this.node(node);
  }

  async report(node: string, workloads: readonly string[]): Promise<void> {
    await this.reportGate;
    this.reports.push({ node, workloads });
  }

  /** How many observers all states have: nobody may be left behind. */
  get observers(): number {
    let sum = this.trust.observers;
    for (const cell of this.#cells.values()) sum += cell.observers;
    return sum;
  }

  #cell(name: string): Source<unknown> {
    let cell = this.#cells.get(name);
    if (cell === undefined) {
      cell = new Cell<unknown>(undefined);
      this.#cells.set(name, cell);
    }
    return cell;
  }
}

export interface Rig {
  source: FakeSource;
  authority: Authority;
  certifier: Certifier;
  server: MeshServer;
  /** Stops the server and starts another one on the same port, as after a restart of namerd. */
  restart(pause?: () => Promise<void>): Promise<void>;
  client(options?: {
    node?: string;
    joined?: boolean;
    clock?: Clock;
    timeoutMs?: number;
  }): Promise<MeshClient>;
  credentials(node: string): Promise<MeshCredentials>;
  close(): Promise<void>;
}

export async function meshRig(
  options: { ttlMs?: number; clock?: Clock; serverClock?: Clock } = {},
): Promise<Rig> {
  const { ttlMs = HOUR, clock = systemClock, serverClock = clock } = options;
  const now = Date.now();
  const root = await rootAuthority({ from: now - HOUR, to: now + 1000 * HOUR });
  const certificates = root.certPem;
  const authority = givenAuthority({ trustDomain: TRUST_DOMAIN, certificates, key: root.key.privateKeyPem });
  const source = new FakeSource(authority.trust.current);
  const certifier = new Certifier({
    authority,
    trustDomain: TRUST_DOMAIN,
    ttlMs,
    tokens: new JoinTokens(NODES.map(name => ({ name, tokenSha256: tokenSha256(TOKEN) }))),
    placement: { nodeRuns: (node, identity) => identity.endsWith(`/sa/of-${node}`) },
    clock: systemClock,
    log: silentLog,
  });
  const clients: MeshClient[] = [];
  const start = (port: number) =>
    MeshServer.start({ host: '127.0.0.1', port, certifier, source, clock: serverClock, log: silentLog });
  const rig: Rig = {
    source,
    authority,
    certifier,
    server: await start(0),
    async restart(pause) {
      const { port } = rig.server;
      await rig.server.close();
      await pause?.();
      rig.server = await start(port);
    },
    async credentials(node) {
      const key = await generateKey();
      const { chain } = await certifier.join({ node, token: TOKEN, csr: createCsr(key) }, 'test');
      return { keyPem: key.privateKeyPem, chainPem: chain };
    },
    async client({ node = 'node-1', joined = true, clock: own = clock, timeoutMs } = {}) {
      const client = new MeshClient({
        host: '127.0.0.1',
        port: rig.server.port,
        trustDomain: TRUST_DOMAIN,
        roots: authority.trust.current.roots,
        clock: own,
        ...(joined ? { credentials: await rig.credentials(node) } : {}),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      await rig.server.close();
    },
  };
  return rig;
}

export function connected(client: MeshClient): Promise<unknown> {
  return firstWhere(client.status, ({ state }) => state === 'connected', AbortSignal.timeout(10_000));
}

export function down(client: MeshClient): Promise<unknown> {
  return firstWhere(client.status, ({ state }) => state === 'down', AbortSignal.timeout(10_000));
}

/** A name that leads to one replica on this port. */
export function boundTo(port: number): NameState {
  const address = `10.1.0.1:${port}`;
  const replica = {
    address,
    workload: 'shop/cart-1',
    node: 'node-1',
    identity: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`,
    hbone: true,
    zone: '',
    weight: 1,
    terminating: false,
  };
  const tree = {
    type: 'leaf',
    id: '/#/registry/shop/cart/http',
    residual: '',
    replicas: { state: 'bound', replicas: [replica] },
  } as const;
  return { state: 'bound', tree };
}

export function nodeState(node: string, workloads: readonly string[]): NodeState {
  return {
    node,
    policies: [],
    workloads: workloads.map((workload): NodeWorkload => {
      const [namespace = '', name = ''] = workload.split('/');
      return {
        workload,
        namespace,
        name,
        serviceAccount: name,
        identity: `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${name}`,
        addresses: [],
        labels: {},
        mesh: 'unset',
        terminating: false,
        policies: [],
        transport: { mode: 'permissive', ports: {} },
      };
    }),
  };
}

/** Gathers what a listener hears and waits for what is wanted of it. */
export class Heard<T> {
  readonly all: { state: T | undefined; version: string }[] = [];
  readonly #count = new Cell(0);

  readonly on = (state: T | undefined, version: string): void => {
    this.all.push({ state, version });
    this.#count.set(this.all.length);
  };

  get last(): { state: T | undefined; version: string } | undefined {
    return this.all.at(-1);
  }

  async until(wanted: (heard: Heard<T>) => boolean, ms = 10_000): Promise<void> {
    await firstWhere(this.#count, () => wanted(this), AbortSignal.timeout(ms));
  }
}
