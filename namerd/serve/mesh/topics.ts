/**
 * All watched keys. Changes that come in one turn of the event loop are gathered: each state is encoded once, and
 * each stream is written once, with everything that is new for it.
 */

import type { WatchKind } from '#api';
import { formatEndpoint, parseEndpoint } from '#base/net.ts';
import { MeshRefusal } from './errors.ts';
import type { MeshSource, Watched } from './source.ts';
import { type Subscriber, Topic, topicName } from './topic.ts';

/** Over all nodes. A topic of a small state takes 2 KB. */
const MAX_TOPICS = 200_000;

export class Topics {
  readonly #source: MeshSource;
  readonly #flush: () => void;
  readonly #topics = new Map<string, Topic>();
  readonly #changed = new Set<Topic>();
  #scheduled = false;

  /** @param flush called after subscribers were told of a round of changes: the time to write. */
  constructor(source: MeshSource, flush: () => void) {
    this.#source = source;
    this.#flush = flush;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** @throws MeshRefusal, or what the source throws for a key that it can't read */
  join(kind: WatchKind, key: string, subscriber: Subscriber): Topic {
    const name = topicName(kind, key);
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      if (this.#topics.size >= MAX_TOPICS)
        throw new MeshRefusal('NM_MESH_LIMIT', 503, `${MAX_TOPICS} keys are watched already`, { by: 'mesh' });
      topic = new Topic(kind, key, this.#watch(kind, key), changed => this.#note(changed));
      this.#topics.set(name, topic);
    }
    topic.subscribers.add(subscriber);
    return topic;
  }

  leave(topic: Topic, subscriber: Subscriber): void {
    topic.subscribers.delete(subscriber);
    if (topic.subscribers.size > 0) return;
    this.#topics.delete(topic.name);
    this.#changed.delete(topic);
    topic.close();
  }

  /** Asks for a flush at the end of this turn, with whatever else changes until then. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const changed = [...this.#changed];
      this.#changed.clear();
      for (const topic of changed)
        if (topic.encode()) for (const subscriber of topic.subscribers) subscriber.changed();
      this.#flush();
    });
  }

  #note(topic: Topic): void {
    this.#changed.add(topic);
    this.schedule();
  }

  #watch(kind: WatchKind, key: string): Watched<unknown> {
    switch (kind) {
      case 'address': {
        const endpoint = parseEndpoint(key);
        if (endpoint === undefined || formatEndpoint(endpoint.ip, endpoint.port) !== key)
          throw badKey(`'${key}' is no address in canonical form`);
        return this.#source.watchAddress(key);
      }
      case 'name':
        if (!key.startsWith('/')) throw badKey(`'${key.slice(0, 200)}' is no path`);
        return this.#source.watchName(key);
      case 'node':
        return this.#source.watchNode(key);
      case 'trust':
        if (key !== '') throw badKey('the trust bundle has no key');
        return this.#source.trust;
    }
  }
}

export function badKey(message: string): MeshRefusal {
  return new MeshRefusal('NM_MESH_KEY', 400, message);
}
