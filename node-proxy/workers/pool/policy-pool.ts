/**
 * The policy workers: none until one is needed, or is known to be needed soon. Makes the ports that connections cross
 * on, and makes them anew when either side is replaced.
 */

import { MessageChannel } from 'node:worker_threads';
import type { WorkerThread, WorkerWord } from './worker-thread.ts';

interface Member {
  worker: WorkerThread;
  /** Tunnel workers that hand over to it. */
  tunnels: Set<WorkerThread>;
}

export class PolicyPool {
  readonly #spawn: (name: string) => WorkerThread;
  readonly #members = new Map<string, Member>();
  readonly #unserving = new Map<string, Set<() => void>>();
  #closing = false;

  /** @param spawn starts a worker and tells it what all workers are told. */
  constructor(spawn: (name: string) => WorkerThread) {
    this.#spawn = spawn;
  }

  get workers(): WorkerThread[] {
    return [...this.#members.values()].map(({ worker }) => worker);
  }

  /** Starts it, if it does not run yet: a thread takes longer to start than a request may take. */
  prepare(name: string): void {
    if (!this.#closing && !this.#members.has(name))
      this.#members.set(name, { worker: this.#spawn(name), tunnels: new Set() });
  }

  /** A tunnel worker has connections for it. */
  need(name: string, tunnel: WorkerThread): void {
    this.prepare(name);
    const member = this.#members.get(name);
    if (member === undefined || this.#closing) return;
    member.tunnels.add(tunnel);
    if (member.worker.alive) link(member.worker, tunnel);
  }

  /** Resolves when no policy worker has anything of the pod any more. */
  async unserve(pod: string, graceMs: number): Promise<void> {
    await Promise.all(
      this.workers.map(worker => {
        if (!worker.alive) return undefined;
        return new Promise<void>(resolve => {
          const key = keyOf(worker, pod);
          const waiting = this.#unserving.get(key) ?? new Set();
          this.#unserving.set(key, waiting.add(resolve));
          worker.post({ type: 'unserve', pod, graceMs });
        });
      }),
    );
  }

  /** No worker is started from now on. */
  close(): void {
    this.#closing = true;
  }

  receive(worker: WorkerThread, message: Extract<WorkerWord, { type: 'unserved' }>): void {
    this.#settle(keyOf(worker, message.pod));
  }

  /** Tunnel workers take back what it had not taken; with it what it served has ended. */
  died(worker: WorkerThread): void {
    for (const tunnel of this.#tunnelsOf(worker)) tunnel.post({ type: 'policy-gone', worker: worker.name });
    for (const key of [...this.#unserving.keys()]) if (key.startsWith(`${worker.name} `)) this.#settle(key);
  }

  replaced(worker: WorkerThread): void {
    for (const tunnel of this.#tunnelsOf(worker)) link(worker, tunnel);
  }

  /** Its successor asks for what it needs. */
  tunnelDied(tunnel: WorkerThread): void {
    for (const { tunnels } of this.#members.values()) tunnels.delete(tunnel);
  }

  #tunnelsOf(worker: WorkerThread): Iterable<WorkerThread> {
    return this.#members.get(worker.name)?.tunnels ?? [];
  }

  #settle(key: string): void {
    const waiting = this.#unserving.get(key);
    this.#unserving.delete(key);
    for (const resolve of waiting ?? []) resolve();
  }
}

function link(policy: WorkerThread, tunnel: WorkerThread): void {
  const { port1, port2 } = new MessageChannel();
  policy.post({ type: 'tunnel-port', port: port1 }, [port1]);
  tunnel.post({ type: 'policy-port', worker: policy.name, port: port2 }, [port2]);
}

function keyOf(worker: WorkerThread, pod: string): string {
  return `${worker.name} ${pod}`;
}
