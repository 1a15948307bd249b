/** The mesh interface: authority, certificates, and the API that node proxies speak to. */

import type { Clock } from '#base/clock.ts';
import type { Scope } from '#base/lifecycle.ts';
import type { Logger } from '#base/log.ts';
import { AddressBinder } from './bind/index.ts';
import { type Authority, Certifier, givenAuthority, JoinTokens, openOwnAuthority } from './ca/index.ts';
import type { MeshConfig } from './config-interfaces.ts';
import type { Naming } from './naming.ts';
import { NodeStates } from './policies/index.ts';
import { MeshServer } from './serve/mesh/index.ts';
import { meshSource } from './serve/mesh-source.ts';
import type { MeshState } from './state.ts';

export interface MeshOptions {
  config: MeshConfig;
  state: MeshState;
  naming: Naming;
  clock: Clock;
  log: Logger;
  scope: Scope;
}

export interface Mesh {
  authority: Authority;
  server: MeshServer;
}

/** Resolves when node proxies can connect. @throws CaError, TrustError, ListenError */
export async function openMesh({ config, state, naming, clock, log, scope }: MeshOptions): Promise<Mesh> {
  const { trustDomain, certificateTtlMs } = config;
  const { registry, routing, storage } = state;
  const authority = scope.own('authority', await openAuthority(config, clock, log));
  const certifier = new Certifier({
    authority,
    trustDomain,
    ttlMs: certificateTtlMs,
    tokens: new JoinTokens(config.nodes),
    placement: {
      nodeRuns: (node, identity) => registry.workloadsOn(node).some(each => each.identity === identity),
    },
    clock,
    log,
  });
  const dtab = naming.dtabOf(config.dtabNamespace);
  const { interpreter } = naming;
  const addresses = scope.own(
    'addresses',
    new AddressBinder({ registry, interpreter, dtab, routing, clock }),
  );
  const nodes = new NodeStates(registry, storage.policies.documents, config.meshNamespace, routing);
  const source = meshSource({ addresses, interpreter, dtab, nodes, registry, authority });
  const { ip: host, port } = config;
  const server = await MeshServer.start({ host, port, certifier, source, clock, log });
  return { authority, server: scope.own('mesh server', server) };
}

async function openAuthority(
  { trustDomain, certificateTtlMs, authority }: MeshConfig,
  clock: Clock,
  log: Logger,
): Promise<Authority> {
  if (authority.type === 'given') return givenAuthority({ trustDomain, ...authority });
  return openOwnAuthority({ dir: authority.dir, trustDomain, certificateTtlMs, clock, log });
}
