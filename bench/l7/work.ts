/**
 * What is measured: every kind of work, and the rounds in which every contender does each. As in the L4 bench the order
 * turns with the round, and figures are compared within a round only.
 */

import { dirname, join } from 'node:path';
import { MeshError, messageOf } from '#base/errors.ts';
import type { Cost, Job, Latency } from '../load/jobs.ts';
import type { Speech } from '../load/speech/dialect.ts';
import type { Pinning } from '../pinning.ts';
import type { Contender, Name, Protocol } from './contenders.ts';

const GENERATOR = join(dirname(import.meta.dirname), 'load/generate.ts');
const JOB_TIMEOUT_MS = 60_000;

/** How much of each kind of work is one measurement. */
export interface Scale {
  warmMs: number;
  requestsMs: number;
  pacedMs: number;
  /** Bytes of a response's body, or of its message. */
  sizes: readonly number[];
  /** Bytes of a request's body. */
  sentSizes: readonly number[];
  /** Requests a second. */
  rates: readonly number[];
}

export const FULL: Scale = {
  warmMs: 500,
  requestsMs: 1_500,
  pacedMs: 5_000,
  sizes: [0, 1_024, 16_384],
  sentSizes: [1_024, 16_384],
  rates: [1_000, 5_000],
};

export const QUICK: Scale = { ...FULL, requestsMs: 800, pacedMs: 2_000, rates: [1_000] };

/** Work of each contender before anything counts. */
export const WARM_UP_MS = 4_000;
/** HTTP/1.1 requests travel on this many connections, one at a time on each. */
const HTTP_CONNECTIONS = 16;
/** Calls under way on the one connection of the closed loop. */
const STREAMS = 16;
/** By the clock calls travel on a few, so that a stall can not use up a connection's streams. */
const PACED_GRPC_CONNECTIONS = 4;
/** Of the response at fixed rates. */
const PACED_BYTES = 1_024;

/** Families of figures, as they can be chosen. */
export const GROUPS = ['http', 'post', 'grpc', 'paced', 'paced-grpc'] as const;
export type Group = (typeof GROUPS)[number];

export interface Work {
  /** Unique: what {@link Round} keeps it under. */
  id: string;
  group: Group;
  protocol: Protocol;
  /** What it is about: a size, or a rate. */
  figure: number;
  order: Order;
}

export type Measured = Cost & Partial<Latency>;
/** By the id of the work. */
export type Round = Record<string, Partial<Record<Name, Measured>>>;

/** A job without the contender's part. */
type Order = Job extends infer J
  ? J extends Job & { kind: 'requests' | 'paced' }
    ? Omit<J, 'target' | 'pids'>
    : never
  : never;

export function workId(group: Group, figure: number): string {
  return `${group} ${figure}`;
}

export function workOf(scale: Scale, groups: ReadonlySet<string>): Work[] {
  const work = (group: Group, protocol: Protocol, figure: number, order: Order): Work => ({
    id: workId(group, figure),
    group,
    protocol,
    figure,
    order,
  });
  const { sizes, sentSizes, rates } = scale;
  const all = [
    ...sizes.map(bytes => work('http', 'http', bytes, closed('http', bytes, scale, scale.requestsMs))),
    ...sentSizes.map(bytes => work('post', 'http', bytes, posted(bytes, scale))),
    ...sizes.map(bytes => work('grpc', 'grpc', bytes, closed('grpc', bytes, scale, scale.requestsMs))),
    ...rates.map(rate => work('paced', 'http', rate, paced('http', rate, scale))),
    ...rates.map(rate => work('paced-grpc', 'grpc', rate, paced('grpc', rate, scale))),
  ];
  return all.filter(({ group }) => groups.has(group));
}

function closed(language: Protocol, bodyBytes: number, { warmMs }: Scale, durationMs: number): Order {
  const speech: Speech = { language, bodyBytes };
  const width =
    language === 'http' ? { connections: HTTP_CONNECTIONS } : { connections: 1, streams: STREAMS };
  return { kind: 'requests', ...width, speech, warmMs, durationMs };
}

/** Bodies that go the other way; the answers have none. */
function posted(sentBytes: number, { warmMs, requestsMs }: Scale): Order {
  const speech: Speech = { language: 'http', bodyBytes: 0, sentBytes };
  return { kind: 'requests', connections: HTTP_CONNECTIONS, speech, warmMs, durationMs: requestsMs };
}

function paced(language: Protocol, ratePerSecond: number, { warmMs, pacedMs }: Scale): Order {
  const connections = language === 'http' ? HTTP_CONNECTIONS : PACED_GRPC_CONNECTIONS;
  const speech: Speech = { language, bodyBytes: PACED_BYTES };
  return { kind: 'paced', connections, ratePerSecond, speech, warmMs, durationMs: pacedMs };
}

export class LoadError extends MeshError {
  constructor(name: Name, work: string, cause: unknown) {
    // The command is long; what the generator said is at the end.
    const said = messageOf(cause).trimEnd().split('\n').at(-1) ?? '';
    super('NM_BENCH_LOAD', `${work} through ${name} failed: ${said}`, {
      by: 'mesh',
      next: 'Ours may not fail, nor what everybody depends on: repeat the run, or find the cause.',
      cause,
    });
  }
}

export class Rounds {
  /** Peers that failed at some work: they have no figure for it. By the work's id and the peer's name. */
  readonly failures = new Map<string, LoadError>();
  readonly #contenders: readonly Contender[];
  readonly #works: readonly Work[];
  readonly #scale: Scale;
  readonly #pins: Pinning;
  readonly #say: (step: string) => void;

  constructor(
    contenders: readonly Contender[],
    works: readonly Work[],
    scale: Scale,
    pins: Pinning,
    say: (step: string) => void,
  ) {
    this.#contenders = contenders;
    this.#works = works;
    this.#scale = scale;
    this.#pins = pins;
    this.#say = say;
  }

  /** Code gets compiled and connections opened before anything counts. */
  async warm(): Promise<void> {
    const protocols = new Set(this.#works.map(({ protocol }) => protocol));
    for (const contender of this.#contenders)
      for (const protocol of protocols) {
        if (!carries(contender, protocol)) continue;
        this.#say(`warming up: ${protocol}: ${contender.name}`);
        const order = closed(protocol, PACED_BYTES, this.#scale, WARM_UP_MS);
        await this.run(contender, protocol, `warming up ${protocol}`, order);
      }
  }

  async round(number: number): Promise<Round> {
    const round: Round = {};
    for (const { id, protocol, order } of this.#works) {
      const contenders = this.#contenders.filter(contender => carries(contender, protocol));
      const turn = number % contenders.length;
      const measured: Partial<Record<Name, Measured>> = {};
      for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
        const { name } = contender;
        const failure = `${id} ${name}`;
        if (this.failures.has(failure)) continue;
        this.#say(`round ${number}: ${id}: ${name}`);
        try {
          measured[name] = await this.run(contender, protocol, id, order);
        } catch (error) {
          if (!(error instanceof LoadError) || !isPeer(name)) throw error;
          this.failures.set(failure, error);
        }
      }
      round[id] = measured;
    }
    return round;
  }

  async run(contender: Contender, protocol: Protocol, what: string, order: Order): Promise<Measured> {
    const { client, targets, pids, name } = contender;
    const job = { ...order, target: targets[protocol], pids: pids() };
    const command = [...this.#pins.load, process.execPath, GENERATOR, JSON.stringify(job)];
    try {
      return JSON.parse(await client.run(command, JOB_TIMEOUT_MS)) as Measured;
    } catch (error) {
      throw new LoadError(name, what, error);
    }
  }
}

function isPeer(name: Name): boolean {
  return !name.startsWith('mesh') && !name.startsWith('direct');
}

function carries({ targets }: Contender, protocol: Protocol): boolean {
  return targets[protocol] !== undefined;
}
