/**
 * The L4 comparison: every round measures every contender at every kind of work, the order turning with the round,
 * so that whatever else the machine does falls on all alike. Figures are compared within a round only.
 */

import { join } from 'node:path';
import { MeshError, messageOf } from '#base/errors.ts';
import type { CniTimes } from './contenders/cni-add.ts';
import type { Contender, ContenderName } from './contenders/contender.ts';
import type { Job, Kind, Outcome, Weight } from './load/jobs.ts';
import type { Pinning } from './pinning.ts';
import type { Stage } from './stage.ts';

const GENERATOR = join(import.meta.dirname, 'load/generate.ts');
const JOB_TIMEOUT_MS = 180_000;

/** How much of each kind of work is one measurement. */
export interface Scale {
  warmMs: number;
  requestsMs: number;
  connections: number;
  bulkBytes: number;
  pacedMs: number;
  ratePerSecond: number;
  idle: readonly number[];
}

export const FULL: Scale = {
  warmMs: 1_000,
  requestsMs: 3_000,
  connections: 2_000,
  bulkBytes: 1e9,
  pacedMs: 8_000,
  ratePerSecond: 1_000,
  idle: [0, 1_000, 10_000],
};

export const QUICK: Scale = {
  ...FULL,
  warmMs: 500,
  requestsMs: 1_000,
  connections: 500,
  bulkBytes: 0.3e9,
  pacedMs: 2_000,
  idle: [0, 1_000],
};

/** Requests travel on this many connections, in the closed and in the open loop. */
const CONNECTIONS = 16;
/** Connections opened at once where new ones are counted. */
const PARALLEL = 8;
const SETTLE_MS = 2_000;
/** Measurements' worth of work before the first one. */
const WARM_UP = 3;

type LoadKind = Exclude<Kind, 'idle'>;
export type Round = { [K in LoadKind]: Partial<Record<ContenderName, Outcome[K]>> };

export interface Results {
  rounds: Round[];
  idle: Partial<Record<ContenderName, Weight[]>>;
  cni: CniTimes | undefined;
}

/** What each contender is measured at. A direct connection has no proxy whose cost could be counted. */
const WORK: Record<ContenderName, readonly LoadKind[]> = {
  'direct-near': ['paced'],
  'direct-far': ['paced'],
  'haproxy-tcp': ['requests', 'connections', 'bulk', 'paced'],
  'haproxy-mtls': ['requests', 'connections', 'bulk', 'paced'],
  'haproxy-mtls-resumed': ['connections'],
  'mesh-near': ['requests', 'connections', 'bulk', 'paced'],
  'mesh-far': ['requests', 'connections', 'bulk', 'paced'],
};

const KINDS: readonly LoadKind[] = ['requests', 'connections', 'bulk', 'paced'];

export class LoadError extends MeshError {
  constructor(name: ContenderName, kind: Kind, cause: unknown) {
    // The command is long; what the generator said is at the end.
    const said = messageOf(cause).trimEnd().split('\n').at(-1) ?? '';
    super(
      'NM_BENCH_LOAD',
      `${kind} through ${name} failed or took more than ${JOB_TIMEOUT_MS / 1000} s: ${said}`,
      {
        by: 'mesh',
        next: 'A run has no figures with failures in them: repeat it, or find the cause.',
        cause,
      },
    );
  }
}

export class L4 {
  readonly #stage: Stage;
  readonly #scale: Scale;
  readonly #pins: Pinning;
  readonly #say: (step: string) => void;

  constructor(stage: Stage, scale: Scale, pins: Pinning, say: (step: string) => void) {
    this.#stage = stage;
    this.#scale = scale;
    this.#pins = pins;
    this.#say = say;
  }

  /** Memory of idle connections, each contender on proxies that have just started. */
  async weigh(counts: readonly number[]): Promise<Results['idle']> {
    const idle: Results['idle'] = {};
    for (const { carries, restart } of this.#stage.proxies)
      for (const contender of this.#named(carries)) {
        if (!WORK[contender.name].includes('requests')) continue;
        this.#say(`memory: ${contender.name}`);
        await restart();
        const { weights } = await this.#run(contender, { kind: 'idle', counts, settleMs: SETTLE_MS });
        idle[contender.name] = weights;
      }
    for (const { restart } of this.#stage.proxies) await restart();
    return idle;
  }

  /**
   * Code gets compiled and pools filled before anything counts: a proxy runs for weeks. Every contender gets the
   * same, a few times what is measured in one round.
   */
  async warm(only: ReadonlySet<string>): Promise<void> {
    for (const contender of this.#stage.contenders)
      for (const kind of WORK[contender.name]) {
        if (kind === 'paced' || (kind !== 'requests' && !only.has(kind))) continue;
        this.#say(`warming up: ${kind}: ${contender.name}`);
        await this.#run(contender, this.#order(kind, WARM_UP));
      }
  }

  /** @param only kinds of work to do; the others stay empty. */
  async round(number: number, only: ReadonlySet<string>): Promise<Round> {
    const round: Round = { requests: {}, connections: {}, bulk: {}, paced: {} };
    for (const kind of KINDS.filter(kind => only.has(kind))) {
      const contenders = this.#stage.contenders.filter(({ name }) => WORK[name].includes(kind));
      const turn = number % contenders.length;
      for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
        this.#say(`round ${number}: ${kind}: ${contender.name}`);
        Object.assign(round[kind], { [contender.name]: await this.#run(contender, this.#order(kind)) });
      }
    }
    return round;
  }

  #named(names: readonly ContenderName[]): Contender[] {
    return this.#stage.contenders.filter(({ name }) => names.includes(name));
  }

  #order<K extends LoadKind>(kind: K, times = 1): Order & { kind: K } {
    const { warmMs, requestsMs, pacedMs, ratePerSecond, connections, bulkBytes } = this.#scale;
    const orders: { [L in LoadKind]: Order & { kind: L } } = {
      requests: { kind: 'requests', connections: CONNECTIONS, warmMs, durationMs: requestsMs * times },
      connections: {
        kind: 'connections',
        parallel: PARALLEL,
        warm: connections / 10,
        count: connections * times,
      },
      bulk: { kind: 'bulk', bytes: bulkBytes },
      paced: { kind: 'paced', connections: CONNECTIONS, ratePerSecond, warmMs, durationMs: pacedMs },
    };
    return orders[kind];
  }

  async #run<O extends Order>(contender: Contender, order: O): Promise<Outcome[O['kind']]> {
    const { client, target, pids } = contender;
    const job = { ...order, target, pids: pids() };
    const command = [...this.#pins.load, process.execPath, GENERATOR, JSON.stringify(job)];
    try {
      return JSON.parse(await client.run(command, JOB_TIMEOUT_MS)) as Outcome[O['kind']];
    } catch (error) {
      throw new LoadError(contender.name, order.kind, error);
    }
  }
}

/** A job without the contender's part. */
type Order = Job extends infer J ? (J extends Job ? Omit<J, 'target' | 'pids'> : never) : never;
