/**
 * A long-running program of the demo: an application, namerd, a node proxy, a packet capture. It leads its own
 * process group, so that Ctrl-C in the terminal reaches the demo alone, and its output goes to a file.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { MeshError } from '#base/errors.ts';

const STOP_TIMEOUT_MS = 15_000;
const TAIL_BYTES = 2_000;

export class ChildError extends MeshError {
  constructor(message: string) {
    super('NM_DEMO_CHILD', message, { by: 'mesh' });
  }
}

export interface ChildOptions {
  /** For people. */
  name: string;
  command: readonly string[];
  /** Added to the demo's own environment. */
  env?: Record<string, string>;
  /** Begin with an empty environment instead (and PATH), as a container does. */
  bare?: boolean;
  /** Both outputs are appended here. */
  logFile: string;
}

export class Child {
  readonly name: string;
  readonly logFile: string;
  /** Fulfilled when the process is gone; says how it went. */
  readonly exited: Promise<string>;
  readonly #process: ChildProcess;
  #how: string | undefined;

  constructor({ name, command: [program = '', ...args], env = {}, bare = false, logFile }: ChildOptions) {
    this.name = name;
    this.logFile = logFile;
    const log = openSync(logFile, 'a');
    this.#process = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...(bare ? { PATH: process.env['PATH'] } : process.env), ...env },
    });
    closeSync(log);
    this.exited = new Promise(resolve => {
      const gone = (how: string) => {
        this.#how = how;
        resolve(how);
      };
      this.#process.once('error', error => gone(error.message));
      this.#process.once('exit', (code, signal) => gone(signal ?? `exit ${code}`));
    });
  }

  /** Undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#how === undefined;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to end, and ends it if it does not within 15 s. Returns how it went. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    if (!this.running) return this.exited;
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until `ready` holds; throws with the end of the log if the process dies or time is over. */
  async until(what: string, ready: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.running && performance.now() < deadline) {
      if (await ready().catch(() => false)) return;
      await new Promise(resolve => setTimeout(resolve, 25));
    }
    const state = this.#how === undefined ? `not ${what} after ${timeoutMs / 1000} s` : `ended: ${this.#how}`;
    throw new ChildError(`${this.name} ${state}; its log ends:\n${this.tail()}`);
  }

  tail(): string {
    return readFileSync(this.logFile, 'utf8').slice(-TAIL_BYTES).trim();
  }
}
