/**
 * The names below `/$`: the rewriters of the language, and addresses written into a name. A closed list.
 *
 *   /$/inet/<host>/<port>[/rest]        the host's addresses, asked for again and again
 *   /$/inet/<port>[/rest]               localhost
 *   /$/fixedinet/…                      the same, asked for once
 *   /$/io.buoyant.rinet/<port>/<host>[/rest]
 */

import { Derived, type Use } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import { mapTree, type Path, rewriteSystemPath, SYSTEM_REWRITERS, utf8Of } from '#names';
import { plainReplica, portOf, stableReplicas } from './endpoints.ts';
import type { Hosts } from './hosts.ts';
import {
  bound,
  constant,
  failed,
  type NamerAnswer,
  NamerError,
  NO_ANSWER,
  ok,
  PENDING,
  sameAnswer,
  UnknownNamerError,
} from './namer.ts';

const ADDRESSES = ['inet', 'fixedinet', 'io.buoyant.rinet'];

interface Target {
  host: string;
  port: number;
  /** How many elements of the path name it. */
  consumed: number;
  once: boolean;
}

export class SystemNamers {
  readonly #hosts: Hosts;

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  /**
   * @param path whole; outside `/$` there is no answer.
   * @param vouched how many of its first elements the mesh's own rules wrote. Nobody else may say which of these
   * namers is asked, nor for which address.
   */
  lookup(path: Path, vouched = Number.POSITIVE_INFINITY): Watchable<NamerAnswer> {
    const [space, kind] = path.elems;
    if (space !== '$' || kind === undefined || vouched < 2) return constant(NO_ANSWER);
    const rewritten = rewriteSystemPath(path);
    if (rewritten !== undefined)
      return constant(ok(mapTree(rewritten, path => ({ type: 'path' as const, path }))));
    if (kind === 'inet' || kind === 'fixedinet') {
      const target = inetTarget(path, kind === 'fixedinet');
      // What a request brought need not make sense: it is just no name.
      if (target === undefined) return constant(vouched < path.size ? NO_ANSWER : notAnAddress(path));
      return vouched < target.consumed ? constant(NO_ANSWER) : this.#watch(path, target);
    }
    if (kind === 'io.buoyant.rinet') {
      const target = rinetTarget(path);
      return target === undefined || vouched < target.consumed
        ? constant(NO_ANSWER)
        : this.#watch(path, target);
    }
    return constant(failed(new UnknownNamerError(path, [...SYSTEM_REWRITERS, ...ADDRESSES])));
  }

  #watch(path: Path, { host, port, consumed, once }: Target): Watchable<NamerAnswer> {
    const [id, residual] = [path.take(consumed), path.drop(consumed)];
    const stable = stableReplicas();
    const compute = (use: Use): NamerAnswer => {
      const state = use('host', () => this.#hosts.watch(host, { once }));
      switch (state.state) {
        case 'pending':
          return PENDING;
        // Bound all the same: whether to fall back is decided by names, not by what the DNS says today.
        case 'neg':
          return ok(bound(id, residual, stable({ state: 'neg' })));
        case 'failed':
          return ok(
            bound(
              id,
              residual,
              stable({ state: 'failed', message: `${host} can't be resolved: ${state.message}` }),
            ),
          );
        case 'ok': {
          const replicas = state.value.map(ip => plainReplica(ip, port, 1));
          return ok(bound(id, residual, stable({ state: 'bound', replicas })));
        }
      }
    };
    return new Derived(compute, sameAnswer);
  }
}

function inetTarget({ elems: [, , first, second] }: Path, once: boolean): Target | undefined {
  const port = portOf(second);
  if (first !== undefined && port !== undefined) return { host: utf8Of(first), port, consumed: 4, once };
  const only = portOf(first);
  return only === undefined ? undefined : { host: 'localhost', port: only, consumed: 3, once };
}

function rinetTarget({ elems: [, , first, host] }: Path): Target | undefined {
  const port = portOf(first);
  if (port === undefined || host === undefined) return undefined;
  return { host: utf8Of(host), port, consumed: 4, once: false };
}

function notAnAddress(path: Path): NamerAnswer {
  return failed(
    new NamerError(
      `${path} is no address: ${path.take(2)}/<host>/<port> or ${path.take(2)}/<port> is expected`,
      'Give the port as a number from 1 to 65535.',
    ),
  );
}
