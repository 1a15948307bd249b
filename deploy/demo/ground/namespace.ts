/** A network namespace with a name, as `ip netns` keeps it. Lives inside the demo's private corner. */

import { type CommandOptions, run } from './command.ts';

export class NetNamespace {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async create(name: string): Promise<NetNamespace> {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return new NetNamespace(name);
  }

  /** As a container runtime hands it to CNI plugins. */
  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** The words to put in front of a command so that it runs inside. */
  get prefix(): readonly string[] {
    return ['nsenter', `--net=${this.path}`, '--'];
  }

  /** `ip` inside this namespace. */
  ip(...args: string[]): Promise<string> {
    return run('ip', ['-n', this.name, ...args]);
  }

  /** Any command inside this namespace, to its end. */
  run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
    const [nsenter = '', ...rest] = this.prefix;
    return run(nsenter, [...rest, ...command], options);
  }

  /** The kernel removes its interfaces, routes and rules with it, once no process is left inside. */
  async delete(): Promise<void> {
    await run('ip', ['netns', 'delete', this.name]);
  }
}
