/** A peer's process in a pod, started afresh at will. */

import { readFileSync } from 'node:fs';
import type { Child } from '../../deploy/demo/ground/child.ts';
import type { Pod } from '../../deploy/demo/ground/pod.ts';

export class Sidecar {
  readonly #pod: Pod;
  readonly #name: string;
  readonly #command: readonly string[];
  readonly #port: number;
  #child: Child | undefined;

  /** @param port on which it listens, to see whether it is up. */
  constructor(pod: Pod, name: string, command: readonly string[], port: number) {
    this.#pod = pod;
    this.#name = name;
    this.#command = command;
    this.#port = port;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Of the process and its children: some peers have their workers as processes. */
  get pids(): number[] {
    const { pid } = this;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
  }

  async restart(): Promise<void> {
    await this.close();
    const child = this.#pod.start(this.#name, this.#command);
    this.#child = child;
    const connect = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${this.#port}`];
    await child.until('listening', () => this.#pod.netns.run(connect).then(() => true));
  }

  async close(): Promise<void> {
    await this.#child?.stop('SIGKILL');
  }
}
