/** The machine and the programs that a figure belongs to. */

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

export interface Machine {
  cores: number;
  cpu: string;
  memoryBytes: number;
  kernel: string;
  node: string;
  openssl: string;
  haproxy: string;
  /** Files that one process may have open. */
  openFiles: number;
}

export function readMachine(): Machine {
  const version = execFileSync('haproxy', ['-vv'], { encoding: 'utf8' });
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    openssl: process.versions.openssl ?? 'none',
    haproxy: haproxyOf(version),
    openFiles: openFiles(),
  };
}

export function describeMachine(machine: Machine): string {
  const { cores, cpu, memoryBytes, kernel, node, openssl, haproxy } = machine;
  return [
    `${cores} cores (${cpu}), ${Math.round(memoryBytes / 2 ** 30)} GiB, Linux ${kernel}`,
    `Node.js ${node} with OpenSSL ${openssl}; haproxy ${haproxy}`,
  ].join('\n');
}

/** The peers of the L7 bench besides haproxy, as far as they are there. */
export function describePeers(): string {
  // nginx says it on its standard error.
  const nginx = spawnSync('nginx', ['-v'], { encoding: 'utf8' });
  const envoy = spawnSync('envoy', ['--version'], { encoding: 'utf8' });
  const version = (said: string | undefined, pattern: RegExp) => pattern.exec(said ?? '')?.[1] ?? 'absent';
  return `nginx ${version(nginx.stderr, /nginx\/(\S+)/)}; envoy ${version(envoy.stdout, /version: *(\S+)/)}`;
}

function haproxyOf(text: string): string {
  const version = /version (\S+)/.exec(text)?.[1] ?? 'unknown';
  return `${version} with OpenSSL ${/Running on OpenSSL version : OpenSSL (\S+)/.exec(text)?.[1] ?? 'unknown'}`;
}

function openFiles(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}
