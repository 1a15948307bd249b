/** A namerd as a process of its own, for tests of what only a process has: signals, exit codes, sudden death. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../namerd/main.ts', import.meta.url));

export interface NamerdProcess {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  ports: { admin: number; control: number; mesh: number };
  /** Resolves with the exit code, or the signal that ended it. */
  ended: Promise<number | string>;
}

/** Resolves when it is running. */
export async function startNamerdProcess(config: string): Promise<NamerdProcess> {
  const child = spawn(process.execPath, [MAIN, config], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  child.stderr.resume();
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, ports } = JSON.parse(line) as { msg: string; ports: NamerdProcess['ports'] };
    if (msg !== 'namerd is running') continue;
    child.stdout.resume();
    return { child, ports, ended };
  }
  throw new Error(`namerd ended before it was running: ${await ended}`);
}

/** Runs it to its end, for `--validate` and bad configurations. */
export async function runNamerd(
  args: readonly string[],
  input = '',
): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', chunk => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', chunk => {
    err += chunk;
  });
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code, out, err };
}
