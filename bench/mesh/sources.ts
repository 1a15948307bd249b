/** Two things to serve: states that are simply set, and the real registry with the real interpreter behind them. */

import type { NameState, NodeState, Replica, TrustState } from '#api';
import { systemClock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import { Cell } from '#base/watch.ts';
import { Path, parsePath } from '#names';
import { workloadId } from '#trust';
import { baseDtab, Interpreter, meshDtab, NamerTable, nameStateOf } from '../../namerd/bind/index.ts';
import {
  Hosts,
  REGISTRY_PREFIX,
  RegistryNamer,
  SystemNamers,
  systemResolver,
} from '../../namerd/namers/index.ts';
import { Registry, type RegistrySnapshot, type Workload } from '../../namerd/registry/index.ts';
import type { MeshSource, Watched } from '../../namerd/serve/mesh/index.ts';
import { nodeName, pathOf, type Scale, serviceName, TRUST_DOMAIN } from './messages.ts';

export interface BenchSource {
  source: MeshSource;
  /** Gives the first replica of a name the weight `mark`, by which clients know the change. */
  change(name: number, mark: number): void;
}

type Trust = Watched<TrustState>;

export function fakeSource(scale: Scale, trust: Trust): BenchSource {
  const cells = new Map<string, Cell<NameState>>();
  const cell = (key: string, name = -1) => {
    let found = cells.get(key);
    if (found === undefined) cells.set(key, (found = new Cell(stateOf(name, scale, 1))));
    return found;
  };
  for (let name = 0; name < scale.allNames; name++) cell(pathOf(name), name);
  return {
    source: {
      trust,
      watchName: key => cell(key),
      watchAddress: () => new Cell({ target: 'foreign' } as const),
      watchNode: node => new Cell<NodeState>({ node, workloads: [], policies: [] }),
      report: () => {},
    },
    change: (name, mark) => cell(pathOf(name)).set(stateOf(name, scale, mark)),
  };
}

function stateOf(name: number, scale: Scale, mark: number): NameState {
  const service = serviceName(name);
  const replicas = Array.from({ length: scale.replicas }, (_, i): Replica => {
    const { namespace, name: workload, node, addresses, zone, terminating } = workloadOf(name, i, scale, 1);
    return {
      address: `${addresses[0]}:8080`,
      workload: `${namespace}/${workload}`,
      node,
      identity: workloadId(TRUST_DOMAIN, namespace, service),
      hbone: true,
      zone,
      weight: i === 0 ? mark : 1,
      terminating,
    };
  });
  const id = `/#/registry/shop/${service}/http`;
  return {
    state: 'bound',
    tree: { type: 'leaf', id, residual: '/', replicas: { state: 'bound', replicas } },
  };
}

export async function registrySource(scale: Scale, trust: Trust): Promise<BenchSource> {
  const services = Array.from({ length: scale.allNames }, (_, i) => ({
    source: 'bench',
    value: {
      namespace: 'shop',
      name: serviceName(i),
      labels: {},
      annotations: {},
      addresses: [ipOf(20, i)],
      ports: [{ name: 'http', port: 80, target: 8080, appProtocol: '' }],
      selector: { app: serviceName(i) },
    },
  }));
  let workloads = Array.from({ length: scale.allNames }, (_, name) =>
    Array.from({ length: scale.replicas }, (_, i) => ({
      source: 'bench',
      value: workloadOf(name, i, scale, 1),
    })),
  ).flat();
  const snapshot = new Cell<RegistrySnapshot>({ services, workloads });
  const registry = await Registry.open({
    sources: [{ snapshot, status: new Cell([]) }],
    trustDomain: TRUST_DOMAIN,
  });
  const clock = systemClock;
  const hosts = new Hosts({ resolver: systemResolver(), clock });
  const system = new SystemNamers(hosts);
  const namers = new NamerTable([new RegistryNamer(registry)], system);
  const interpreter = new Interpreter({ namers, registry, clock });
  const dtab = meshDtab(baseDtab(Path.of('#').concat(REGISTRY_PREFIX)), new Cell(undefined));
  return {
    source: {
      trust,
      watchName: key => {
        const path = parsePath(key);
        return new Derived(use => nameStateOf(use('binding', () => interpreter.bind(dtab, path))));
      },
      watchAddress: () => new Cell({ target: 'foreign' } as const),
      watchNode: node => new Cell<NodeState>({ node, workloads: [], policies: [] }),
      report: (node, reported) => registry.setReported(node, reported),
    },
    change: (name, mark) => {
      workloads = [...workloads];
      workloads[name * scale.replicas] = { source: 'bench', value: workloadOf(name, 0, scale, mark) };
      snapshot.set({ services, workloads });
    },
  };
}

function workloadOf(name: number, i: number, { replicas, proxies }: Scale, weight: number): Workload {
  const number = name * replicas + i;
  return {
    namespace: 'shop',
    name: `${serviceName(name)}-${i}`,
    labels: { app: serviceName(name), 'nodemesh.io/mesh': 'enabled' },
    annotations: {},
    node: nodeName(number % proxies),
    serviceAccount: serviceName(name),
    addresses: [ipOf(10, number)],
    ports: {},
    zone: '',
    weight,
    ready: true,
    terminating: false,
  };
}

function ipOf(first: number, i: number): string {
  return `${first}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
}
