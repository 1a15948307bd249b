/**
 * What the node of a workload does with HTTP that arrives for it. Who asks: a policy with HTTP conditions that holds
 * for the workload, the annotation of the workload or of a service that selects it, or a TrafficPolicy of such a
 * service that sets anything for servers. Routes do not: they are the business of the callers' nodes.
 */

import type { WorkloadHttp } from '#api';
import {
  asksForHttp,
  type Service,
  type ServicePort,
  selectorMatches,
  targetPort,
  type Workload,
} from '../registry/index.ts';
import type { ServerSettings } from '../resources/index.ts';
import { type PortProtocol, portProtocol } from './protocol-table.ts';
import { type PlacedTraffic, policyFor } from './routing-index.ts';

/** A service by which its workloads are asked to understand HTTP. */
export interface AskingService {
  readonly selector: Service['selector'];
  readonly server: ServerSettings;
}

const NO_SETTINGS: ServerSettings = { forwardClientIdentity: false, concurrentRequests: 0 };

/** @param policies of the namespace. Few, so that workloads of namespaces without any cost nothing. */
export function askingServices(
  services: readonly Service[],
  policies: readonly PlacedTraffic[],
): AskingService[] {
  const byService = Map.groupBy(policies, ({ value }) => value.target.service);
  return services.flatMap(service => {
    const server = serverSettings(service, byService.get(service.name) ?? []);
    const asks = asksForHttp(service) || server.forwardClientIdentity || server.concurrentRequests > 0;
    return asks ? [{ selector: service.selector, server }] : [];
  });
}

/** Of all policies in force on any port that is not opaque; what is set for a workload is set for all of its ports. */
function serverSettings({ ports }: Service, policies: readonly PlacedTraffic[]): ServerSettings {
  if (policies.length === 0) return NO_SETTINGS;
  return strictest(
    ports.flatMap(port => {
      const policy = policyFor(policies, port)?.value;
      return policy === undefined || portProtocol(port, policy.protocol) === 'opaque' ? [] : [policy.server];
    }),
  );
}

/** The lowest limit, and identities for whoever asked for them. */
function strictest(settings: readonly ServerSettings[]): ServerSettings {
  const limits = settings.map(({ concurrentRequests }) => concurrentRequests).filter(limit => limit > 0);
  return {
    forwardClientIdentity: settings.some(({ forwardClientIdentity }) => forwardClientIdentity),
    concurrentRequests: limits.length === 0 ? 0 : Math.min(...limits),
  };
}

/** What the workload's ports speak, by the services of its namespace. */
export class NamespacePorts {
  readonly #policies: ReadonlyMap<string, readonly PlacedTraffic[]>;
  /** By the first pair of the selector, so that few services are tried for each workload. */
  readonly #services = new Map<string, Service[]>();

  constructor(services: readonly Service[], policies: readonly PlacedTraffic[]) {
    this.#policies = Map.groupBy(policies, ({ value }) => value.target.service);
    for (const service of services) {
      const [pair] = Object.entries(service.selector);
      if (pair === undefined) continue;
      const key = pair.join('=');
      const known = this.#services.get(key);
      if (known === undefined) this.#services.set(key, [service]);
      else known.push(service);
    }
  }

  /** By port number, ascending; a port of which nothing is declared, or which services declare differently, is left out. */
  of(workload: Workload): Record<string, 'http' | 'opaque'> {
    const said = new Map<number, PortProtocol>();
    for (const { service, port, number } of this.#ports(workload)) {
      const policy = policyFor(this.#policies.get(service.name) ?? [], port);
      const protocol = portProtocol(port, policy?.value.protocol);
      if (protocol === 'detect') continue;
      const before = said.get(number) ?? protocol;
      said.set(number, before === protocol ? protocol : 'detect');
    }
    const sorted = [...said].sort(([a], [b]) => a - b);
    return Object.fromEntries(
      sorted.flatMap(([number, protocol]) =>
        protocol === 'detect' ? [] : [[String(number), protocol] as const],
      ),
    );
  }

  *#ports(workload: Workload): Generator<{ service: Service; port: ServicePort; number: number }> {
    for (const pair of Object.entries(workload.labels))
      for (const service of this.#services.get(pair.join('=')) ?? []) {
        if (!selectorMatches(service.selector, workload.labels)) continue;
        for (const port of service.ports) {
          const number = targetPort(port, workload);
          if (number !== undefined) yield { service, port, number };
        }
      }
  }
}

/**
 * @param asked by a policy that holds for the workload
 * @param asking of the workload's namespace
 * @param ports only called when somebody asks
 */
export function workloadHttp(
  workload: Workload,
  asked: boolean,
  asking: readonly AskingService[],
  ports: () => NamespacePorts,
): WorkloadHttp | undefined {
  const mine = asking.filter(({ selector }) => selectorMatches(selector, workload.labels));
  if (!asked && mine.length === 0 && !asksForHttp(workload)) return undefined;
  return { ports: ports().of(workload), ...strictest(mine.map(({ server }) => server)) };
}
