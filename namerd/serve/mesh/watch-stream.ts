/**
 * One node's watch stream. What waits to be sent is a set of keys, never a queue of states: a slow reader finds the
 * newest state of each key when it reads on, and costs the memory of one batch.
 */

import type { ServerHttp2Stream } from 'node:http2';
import {
  BEAT_MS,
  type ClientLine,
  clientLine,
  LineReader,
  MAX_LINE_BYTES,
  MAX_WATCHES,
  SILENCE_MS,
} from '#api';
import type { Clock } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { MeshRefusal } from './errors.ts';
import { ReportGate } from './report-gate.ts';
import type { MeshSource } from './source.ts';
import type { Subscriber, Topic } from './topic.ts';
import { badKey, type Topics } from './topics.ts';

/** Names with a dtab of a request are shared with nobody; whoever may send such dtabs sends the same few again. */
const MAX_REQUEST_DTABS = 1_000;

/** Bytes that are put together for one write; one line may exceed it. */
const BATCH = 64 * 1024;

export interface WatchStreamOptions {
  stream: ServerHttp2Stream;
  node: string;
  source: MeshSource;
  topics: Topics;
  clock: Clock;
  log: Logger;
  onClose(): void;
}

interface Subscription extends Subscriber {
  id: number;
  topic: Topic;
  /** A name with a dtab of a request. */
  ownDtab: boolean;
  /** What the client has; undefined when nothing. */
  version: string | undefined;
  /** A client that resumes is answered even when nothing changed. */
  answered: boolean;
}

export class WatchStream {
  readonly node: string;
  readonly #options: WatchStreamOptions;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #dirty = new Set<Subscription>();
  /** Answers that are no states: refusals, reports. Bounded by what the client sends before it reads. */
  #notes: Buffer[] = [];
  readonly #gate: ReportGate;
  #ownDtabs = 0;
  #blocked = false;
  #closed = false;
  #heardAt: number;
  #sentAt: number;

  constructor(options: WatchStreamOptions) {
    const { stream, node, source, clock } = options;
    this.node = node;
    this.#options = options;
    this.#heardAt = this.#sentAt = clock.monotonic();
    this.#gate = new ReportGate({
      node,
      source,
      onReported: (reported, error) => this.#note({ reported, ...(error === undefined ? {} : { error }) }),
    });
    const reader = new LineReader(MAX_LINE_BYTES);
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' });
    stream.on('data', (chunk: Buffer) => {
      this.#heardAt = clock.monotonic();
      try {
        reader.push(chunk, value => this.#take(clientLine(value)));
      } catch (error) {
        this.close(`it sent what the mesh API does not have: ${messageOf(error)}`);
      }
    });
    stream.on('drain', () => {
      this.#blocked = false;
      this.flush();
    });
    stream.on('error', error => this.close(messageOf(error)));
    stream.on('end', () => this.close('it ended the stream'));
    stream.on('close', () => this.close('the connection ended'));
  }

  get watches(): number {
    return this.#subscriptions.size;
  }

  /** Keys whose newest state this node does not have yet. */
  get behind(): number {
    return this.#dirty.size;
  }

  /** Writes what is new, as much as the reader takes. */
  flush(): void {
    while (!this.#blocked && !this.#closed) {
      const batch = this.#nextBatch();
      if (batch.length === 0) return;
      this.#sentAt = this.#options.clock.monotonic();
      this.#blocked = !this.#options.stream.write(batch.length === 1 ? batch[0] : Buffer.concat(batch));
    }
  }

  /** To be called about once a second: beats, and the end of a silent peer. */
  tick(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#heardAt >= SILENCE_MS) return this.close(`it was silent for ${SILENCE_MS} ms`);
    // A reader that is behind gets data when it reads, and hears of us by that.
    if (!this.#blocked && now - this.#sentAt >= BEAT_MS - 1000)
      this.#note({ beat: this.#options.clock.now() });
  }

  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.log.debug({ node: this.node, why }, 'a watch stream ended');
    for (const subscription of this.#subscriptions.values())
      this.#options.topics.leave(subscription.topic, subscription);
    this.#subscriptions.clear();
    this.#dirty.clear();
    this.#notes = [];
    this.#gate.close();
    this.#options.stream.destroy();
    this.#options.onClose();
  }

  #take(line: ClientLine): void {
    if (this.#closed) return;
    switch (line.op) {
      case 'watch':
        return this.#watch(line);
      case 'unwatch':
        return this.#unwatch(line.id);
      case 'report':
        return this.#gate.take(line.enrolled, line.seq);
    }
  }

  #watch({ id, kind, key, version }: Extract<ClientLine, { op: 'watch' }>): void {
    this.#unwatch(id);
    try {
      if (this.#subscriptions.size >= MAX_WATCHES)
        throw new MeshRefusal('NM_MESH_LIMIT', 429, `a stream has at most ${MAX_WATCHES} watches`);
      if (kind === 'node' && key !== this.node)
        throw badKey(`node '${this.node}' may not watch node '${key.slice(0, 100)}'`);
      const ownDtab = kind === 'name' && key.includes(' ');
      if (ownDtab && this.#ownDtabs >= MAX_REQUEST_DTABS)
        throw new MeshRefusal(
          'NM_MESH_LIMIT',
          429,
          `a stream has at most ${MAX_REQUEST_DTABS} names with a dtab of a request`,
        );
      const subscription: Partial<Subscription> & Subscriber = {
        id,
        ownDtab,
        version,
        answered: version === undefined,
        changed: () => void this.#dirty.add(subscription as Subscription),
      };
      subscription.topic = this.#options.topics.join(kind, key, subscription);
      this.#subscriptions.set(id, subscription as Subscription);
      if (ownDtab) this.#ownDtabs += 1;
      this.#dirty.add(subscription as Subscription);
      this.#options.topics.schedule();
    } catch (error) {
      const code = codeOf(error) ?? 'NM_MESH_KEY';
      this.#options.log.debug({ err: error, node: this.node, kind }, 'refused a watch');
      this.#note({ id, error: { code, message: messageOf(error) } });
    }
  }

  #unwatch(id: number): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return;
    this.#subscriptions.delete(id);
    if (subscription.ownDtab) this.#ownDtabs -= 1;
    this.#dirty.delete(subscription);
    this.#options.topics.leave(subscription.topic, subscription);
  }

  #note(line: object): void {
    if (this.#closed) return;
    if (this.#notes.length >= MAX_WATCHES) return this.close('it asks without reading the answers');
    this.#notes.push(Buffer.from(`${JSON.stringify(line)}\n`));
    this.#options.topics.schedule();
  }

  #nextBatch(): Buffer[] {
    const batch = this.#notes;
    this.#notes = [];
    let bytes = 0;
    for (const subscription of this.#dirty) {
      if (bytes >= BATCH) break;
      this.#dirty.delete(subscription);
      const tail = tailFor(subscription);
      if (tail === undefined) continue;
      batch.push(Buffer.from(`{"id":${subscription.id}`), tail);
      bytes += tail.length;
    }
    return batch;
  }
}

/** What to send, and what the client has afterwards; undefined when it has everything. */
function tailFor(subscription: Subscription): Buffer | undefined {
  const { line } = subscription.topic;
  if (line === undefined) return undefined;
  const same = line.version === subscription.version;
  if (same && subscription.answered) return undefined;
  subscription.version = line.version;
  subscription.answered = true;
  return same ? line.unchanged : line.full;
}
