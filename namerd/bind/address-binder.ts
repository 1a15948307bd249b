/** Whose an original destination is, and where connections to it go. */

import type { AddressState, ServiceHttp } from '#api';
import type { Clock } from '#base/clock.ts';
import { Derived, type Use } from '#base/derived.ts';
import { type Endpoint, endpoint, formatEndpoint } from '#base/net.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import type { Watchable } from '#base/watch.ts';
import type { Dtab } from '#names';
import { keyOf, portLabel, type Registry, replicaAt, type Service, serviceName } from '../registry/index.ts';
import { type Interpreter, nameStateOf } from './interpreter.ts';
import { sameAddressState } from './same-state.ts';

export interface AddressBinderOptions {
  registry: Registry;
  interpreter: Interpreter;
  dtab: Watchable<Dtab>;
  /** What services ask for HTTP; without it, none does. */
  routing?: HttpSource;
  clock: Clock;
}

export interface HttpSource {
  /** @param service `<namespace>/<name>` */
  http(service: string, port: number): Watchable<ServiceHttp | undefined>;
}

const LINGER_MS = 10_000;
const MAX_IDLE = 1_000;

export class AddressBinder {
  readonly #options: AddressBinderOptions;
  readonly #shared: SharedWatches<AddressState | undefined>;

  constructor(options: AddressBinderOptions) {
    this.#options = options;
    this.#shared = new SharedWatches<AddressState | undefined>({
      clock: options.clock,
      lingerMs: LINGER_MS,
      maxIdle: MAX_IDLE,
      start: key => {
        const address = endpoint(key);
        return new Derived(use => this.#stateOf(use, address), sameAddressState);
      },
    });
  }

  /**
   * Undefined while the name behind the address is still being bound.
   * @param address `ip:port` or `[ip]:port`
   * @throws AddressError
   */
  bind(address: string): Watchable<AddressState | undefined> {
    const { ip, port } = endpoint(address);
    return this.#shared.get(formatEndpoint(ip, port));
  }

  close(): void {
    this.#shared.close();
  }

  #stateOf(use: Use, { ip, port }: Endpoint): AddressState | undefined {
    const owner = use('owner', () => this.#options.registry.watchAddress(ip));
    if (owner === undefined) return { target: 'foreign' };
    if (owner.type === 'workload') return { target: 'workload', replica: replicaAt(owner.state, ip, port) };
    return this.#serviceState(use, owner.service, port);
  }

  #serviceState(use: Use, owner: Service, port: number): AddressState | undefined {
    const { namespace, name: service, ports } = owner;
    const found = ports.find(each => each.port === port);
    if (found === undefined) return { target: 'unserved', namespace, service };
    const { interpreter, dtab, routing } = this.#options;
    const label = portLabel(found);
    const path = serviceName(namespace, service, label);
    const bound = nameStateOf(use(`name ${path}`, () => interpreter.bind(dtab, path)));
    if (bound === undefined) return undefined;
    const key = keyOf(owner);
    const http = routing && use(`http ${key}`, () => routing.http(key, port));
    const { appProtocol } = found;
    return {
      target: 'service',
      namespace,
      service,
      port: label,
      name: path.show,
      appProtocol,
      bound,
      ...(http === undefined ? {} : { http }),
    };
  }
}
