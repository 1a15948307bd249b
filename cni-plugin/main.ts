/**
 * The CNI plugin `nodemesh`: chained after the plugins that make a pod's network, called by the container runtime for
 * each pod. It starts in some 30 ms, thus imports next to nothing.
 *
 * Invariant: standard output carries one JSON document or nothing; exit code 0 exactly if the command succeeded.
 */

import { messageOf } from '#base/errors.ts';
import { CniError, CODE } from './cni-error.ts';
import { execute } from './commands.ts';
import { readEnvironment } from './environment.ts';
import { MAX_CONFIG_BYTES, versionOf } from './network-config.ts';

/** A runtime writes the configuration at once. */
const STDIN_TIMEOUT_MS = 10_000;

async function main(): Promise<void> {
  let stdin = '';
  try {
    const environment = readEnvironment(process.env);
    stdin = await readStdin();
    const result = await execute(environment, stdin, text => process.stderr.write(`nodemesh: ${text}\n`));
    if (result !== undefined) print(result);
  } catch (error) {
    const known =
      error instanceof CniError ? error : new CniError(CODE.internal, messageOf(error), stackOf(error));
    print(known.toResult(versionOf(stdin)));
    process.exitCode = 1;
  }
}

async function readStdin(): Promise<string> {
  const timer = setTimeout(() => {
    process.stdin.destroy(
      new CniError(CODE.io, 'standard input was not closed', 'The runtime has to write the configuration.'),
    );
  }, STDIN_TIMEOUT_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_CONFIG_BYTES)
        throw new CniError(
          CODE.undecodable,
          `the network configuration is longer than ${MAX_CONFIG_BYTES} bytes`,
        );
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : '';
}

void main();
