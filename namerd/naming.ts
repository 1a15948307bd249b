/** Where names lead: the configured namers, the dtabs of the storage, and the interpreter upon both. */

import { LRUCache } from 'lru-cache';
import type { Clock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import type { Scope } from '#base/lifecycle.ts';
import type { Logger } from '#base/log.ts';
import type { Watchable } from '#base/watch.ts';
import { Dtab } from '#names';
import { baseDtab, Interpreter, meshDtab, NamerTable } from './bind/index.ts';
import type { NamerConfig } from './config-namers.ts';
import {
  DnsSrvNamer,
  FsNamer,
  Hosts,
  type Namer,
  REGISTRY_PREFIX,
  RegistryNamer,
  RewriteNamer,
  SystemNamers,
  serversResolver,
  systemResolver,
} from './namers/index.ts';
import type { Registry } from './registry/index.ts';
import type { DtabResource } from './resources/index.ts';
import type { Routing } from './routing/index.ts';
import type { DocumentStore } from './store/index.ts';

export interface NamingOptions {
  namers: readonly NamerConfig[];
  /** Names of services lead to the registry even where the configuration does not name it. */
  mesh: boolean;
  registry: Registry;
  /** How replicas of services are used. */
  routing: Routing;
  dtabs: DocumentStore<DtabResource>;
  clock: Clock;
  log: Logger;
  scope: Scope;
}

export interface Naming {
  interpreter: Interpreter;
  /**
   * The dtab of a namespace behind the base dtab; a namespace that does not exist adds nothing. The same object
   * for the same namespace, so that bindings are shared.
   */
  dtabOf(namespace: string): Watchable<Dtab>;
}

/** Dtabs of so many namespaces are kept as objects; one that is asked for again later only shares less. */
const MAX_NAMESPACES = 1_000;

/** @throws NamerPrefixError, NamerError, NameSyntaxError */
export function openNaming(options: NamingOptions): Naming {
  const { mesh, registry, routing, dtabs, clock, scope } = options;
  const hosts = scope.own('host names', new Hosts({ resolver: systemResolver(), clock }));
  const namers = options.namers.map(config => openNamer(config, hosts, options));
  if (mesh && !namers.some(namer => namer instanceof RegistryNamer))
    namers.push(new RegistryNamer(registry, REGISTRY_PREFIX, routing));
  const table = new NamerTable(namers, new SystemNamers(hosts));
  const interpreter = new Interpreter({ namers: table, registry, clock });
  const ofRegistry = namers.find(namer => namer instanceof RegistryNamer);
  const base = ofRegistry === undefined ? Dtab.empty : baseDtab(ofRegistry.prefix);
  const known = new LRUCache<string, Watchable<Dtab>>({ max: MAX_NAMESPACES });
  return {
    interpreter,
    dtabOf(namespace) {
      const dtab = known.get(namespace) ?? meshDtab(base, stored(dtabs, namespace));
      known.set(namespace, dtab);
      return dtab;
    },
  };
}

function stored({ documents }: DocumentStore<DtabResource>, namespace: string): Watchable<Dtab | undefined> {
  return new Derived(use => use('documents', () => documents).get(namespace)?.value.value);
}

function openNamer(
  config: NamerConfig,
  hosts: Hosts,
  { registry, routing, clock, log, scope }: NamingOptions,
): Namer {
  const { kind, prefix } = config;
  switch (kind) {
    case 'io.l5d.fs':
      return scope.own(kind, new FsNamer({ prefix, rootDir: config.rootDir, clock, hosts, log }));
    case 'io.l5d.rewrite':
      return new RewriteNamer(config);
    case 'io.nodemesh.registry':
      return new RegistryNamer(registry, prefix, routing);
    case 'io.l5d.dnssrv': {
      const { dnsHosts, refreshMs } = config;
      if (dnsHosts.length === 0)
        return scope.own(
          kind,
          new DnsSrvNamer({ prefix, clock, resolver: systemResolver(), hosts, refreshMs }),
        );
      const resolver = serversResolver(dnsHosts);
      const own = scope.own('host names', new Hosts({ resolver, clock }));
      return scope.own(kind, new DnsSrvNamer({ prefix, clock, resolver, hosts: own, refreshMs }));
    }
  }
}
