/** Short commands (`ip`, `iptables-restore`, CNI plugins): run to the end, output returned, failure thrown. */

import { execFile } from 'node:child_process';
import { MeshError } from '#base/errors.ts';
import { systemPath } from '../../isolate.ts';

const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 16 << 20;

export class CommandError extends MeshError {
  readonly stdout: string;

  constructor(command: string, output: { stdout: string; stderr: string }, cause: Error) {
    const said = output.stderr.trim() || output.stdout.trim() || cause.message;
    super('NM_DEMO_COMMAND', `${command}: ${said}`, { by: 'mesh', cause });
    this.stdout = output.stdout;
  }
}

export interface CommandOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** Default 20 s. */
  timeoutMs?: number;
}

/** Standard output of the command. Throws {@link CommandError} if it fails or takes too long. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env, PATH: systemPath(options.env?.['PATH']) };
    const limits = { timeout: options.timeoutMs ?? TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, env };
    const child = execFile(command, [...args], limits, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new CommandError([command, ...args].join(' '), { stdout, stderr }, error));
    });
    // A command that fails early closes its input; its exit says why.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}
