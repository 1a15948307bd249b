/** What the runtime says in environment variables (CNI specification, section 2). */

import { CniError, CODE } from './cni-error.ts';

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type Command = (typeof COMMANDS)[number];

/** Variables that are not given are empty. */
export interface Environment {
  command: Command;
  containerId: string;
  netns: string;
  ifName: string;
  /** From CNI_ARGS; empty if the runtime is not Kubernetes. */
  podName: string;
  podNamespace: string;
}

const REQUIRED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
};

/** @throws CniError code 4 that names every missing or wrong variable. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const command = COMMANDS.find(name => name === env['CNI_COMMAND']);
  if (command === undefined)
    throw new CniError(
      CODE.badEnvironment,
      env['CNI_COMMAND'] ? `CNI_COMMAND is '${env['CNI_COMMAND']}'` : 'CNI_COMMAND is not set',
      `This program is called by container runtimes, with one of ${COMMANDS.join(', ')}.`,
    );
  const missing = REQUIRED[command].filter(name => !env[name]);
  if (missing.length > 0)
    throw new CniError(
      CODE.badEnvironment,
      `${command} needs ${missing.join(', ')}`,
      'The runtime has to set it.',
    );
  const pod = readArguments(env['CNI_ARGS'] ?? '');
  return {
    command,
    containerId: env['CNI_CONTAINERID'] ?? '',
    netns: env['CNI_NETNS'] ?? '',
    ifName: env['CNI_IFNAME'] ?? '',
    podName: pod.get('K8S_POD_NAME') ?? '',
    podNamespace: pod.get('K8S_POD_NAMESPACE') ?? '',
  };
}

/** `K8S_POD_NAME=a;K8S_POD_NAMESPACE=b`; keys we do not know are for others. */
function readArguments(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const part of text.split(';')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 1)
      throw new CniError(
        CODE.badEnvironment,
        `CNI_ARGS has '${part}', which is no KEY=VALUE`,
        'The runtime sets it.',
      );
    pairs.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return pairs;
}
