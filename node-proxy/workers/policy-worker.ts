/**
 * One policy worker: knows what every worker knows, listens to nobody, and takes connections that tunnel workers hand
 * over. It has doors for the pods that such connections came from, from the first one until the pod leaves. What it
 * does with HTTP is given to it: nothing here loads `policy/`.
 */

import type { MessagePort } from 'node:worker_threads';
import type { NameState } from '#api';
import { resetFd } from '../kernel/index.ts';
import { type BindingCache, NameResolver } from '../resolve/index.ts';
import { type HandedConnection, type HttpHooks, PodDoors, type WorkerContext } from '../tunnel/index.ts';
import type { Handing, Taken } from './hand-over.ts';
import type { ToWorker } from './messages.ts';
import { WorkerCore, type WorkerParts } from './worker-core.ts';

/** Makes the worker's cache of names, once; what a name's state compiles to is the owner's affair. */
export type OpenNames = <T extends object>(owner: {
  compile: (state: NameState, key: string) => T;
  /** Called once for every compiled value, after its successor was compiled. */
  release: (value: T) => void;
  /** Names kept at the most; by default as many as addresses. */
  limit?: number;
  /** How long {@link NameResolver.resolve} waits, milliseconds; by default as long as for addresses. */
  timeoutMs?: number;
}) => NameResolver<T>;

export interface HttpPart extends HttpHooks {
  /** Called every second. */
  sweep(): void;
  close(): void;
}

export interface PolicyWorkerParts extends WorkerParts {
  /** What is counted and logged of requests. */
  reports?: { flush(): void; close(): void };
  http: (context: WorkerContext, names: OpenNames) => HttpPart;
  /** Follows now what the main thread has said already. */
  catchUp?: () => void;
}

export class PolicyWorker {
  readonly core: WorkerCore;
  readonly #catchUp: () => void;
  readonly #http: HttpPart;
  #names: BindingCache<NameState, object> | undefined;

  constructor(parts: PolicyWorkerParts) {
    this.#catchUp = parts.catchUp ?? (() => {});
    this.core = new WorkerCore(parts, {
      quietMs: 0,
      beat: () => {
        this.#names?.sweep();
        this.#http.sweep();
        parts.reports?.flush();
      },
      left: () => {},
      waiting: () => 0,
      report: details => {
        parts.reports?.flush();
        return {
          handedOver: { total: 0, waiting: 0 },
          names: details ? Array.from(this.#names?.entries() ?? [], ([key]) => key) : [],
        };
      },
      close: () => {
        this.#http.close();
        parts.reports?.close();
      },
    });
    this.#http = parts.http(this.core.context, owner => {
      const names = new NameResolver({ ...this.core.asking('name'), ...owner });
      this.#names = names as unknown as BindingCache<NameState, object>;
      return names;
    });
    this.core.context.http = this.#http;
    parts.send({ type: 'started' });
  }

  handle(message: ToWorker): void {
    this.core.guard(message, () => {
      switch (message.type) {
        case 'tunnel-port':
          return this.#listen(message.port);
        case 'binding':
          if (message.kind === 'name') return this.#names?.bind(message.key, message.state);
          return this.core.follow(message);
        case 'pods':
          this.core.follow(message);
          return this.#forgetPods();
        case 'serve':
        case 'policy-port':
        case 'policy-gone':
          throw new Error(`a policy worker is told '${message.type}'`);
        default:
          return this.core.follow(message);
      }
    });
  }

  /** Takes a connection that a tunnel worker has accepted. The descriptor is this worker's; never throws. */
  take(fd: number, connection: HandedConnection): void {
    const id = connection.pod;
    // What the main thread said before the connection came may still wait on its own port.
    if (this.core.pods.get(id) === undefined) this.#catchUp();
    const pod = this.core.pods.get(id);
    if (pod === undefined) return resetFd(fd);
    let doors = this.core.doors.get(id);
    if (doors === undefined) {
      doors = new PodDoors(pod, this.core.context);
      if (this.core.context.draining) doors.drain();
      this.core.doors.set(id, doors);
    }
    doors.take(fd, connection);
  }

  close(): void {
    this.core.close();
  }

  #listen(port: MessagePort): void {
    let last = 0;
    let told = 0;
    const answer = () => {
      const taken: Taken = { taken: last };
      told = last;
      port.postMessage(taken);
    };
    port.on('message', ({ seq, fd, connection }: Handing) => {
      this.take(fd, connection);
      // One answer for all that came in one turn.
      if (last === told) setImmediate(answer);
      last = seq;
    });
  }

  /** Tunnel workers are done with a pod before it is announced no more; or it is somebody else now. */
  #forgetPods(): void {
    for (const [id, { pod }] of this.core.doors)
      if (!this.core.pods.isAnnounced(id) || this.core.pods.get(id) !== pod) this.core.remove(id);
  }
}
