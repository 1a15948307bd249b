/** Everything that is started has an owner that stops it, in reverse order. */

import { messageOf } from './errors.ts';

export type Close = () => void | Promise<void>;

export class Scope {
  readonly #closers: { name: string; close: Close }[] = [];
  readonly #onError: (name: string, error: unknown) => void;
  #closing: Promise<void> | undefined;

  /** @param onError told of every closer that throws; the others still run. */
  constructor(onError: (name: string, error: unknown) => void = warn) {
    this.#onError = onError;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Registers how to stop something that has just been started. */
  add(name: string, close: Close): void {
    if (this.#closing === undefined) this.#closers.push({ name, close });
    else void this.#run({ name, close });
  }

  /** Starts something and registers its end in one step. */
  own<T extends { close(): void | Promise<void> }>(name: string, thing: T): T {
    this.add(name, () => thing.close());
    return thing;
  }

  /** Closes everything, last started first. Later calls return the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop())
      await this.#run(next);
  }

  async #run({ name, close }: { name: string; close: Close }): Promise<void> {
    try {
      await close();
    } catch (error) {
      this.#onError(name, error);
    }
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`closing ${name} failed: ${messageOf(error)}`);
}
