/**
 * The verbs of CNI. This plugin configures no network: it tells the node's proxy that a pod is there, and waits for
 * its word. ADD succeeds only if the pod is protected, or none of ours.
 */

import { codeOf, MeshError, messageOf } from '#base/errors.ts';
import { CniError, CODE } from './cni-error.ts';
import type { Environment } from './environment.ts';
import {
  isAtLeast,
  NEWEST_VERSION,
  type NetworkConfig,
  readNetworkConfig,
  SUPPORTED_VERSIONS,
  versionOf,
} from './network-config.ts';
import { NodeClient, NodeRefused } from './node-client.ts';
import type { PodAdd } from './requests.ts';

/** For people; the runtime's log has it. */
export type Note = (text: string) => void;

/** @returns what to print on standard output, undefined for nothing. @throws CniError */
export async function execute(environment: Environment, stdin: string, note: Note): Promise<unknown> {
  if (environment.command === 'VERSION')
    return { cniVersion: knownVersion(stdin), supportedVersions: SUPPORTED_VERSIONS };
  const config = readNetworkConfig(stdin);
  const client = new NodeClient(config.socket, config.timeoutMs);
  switch (environment.command) {
    case 'ADD':
      return add(environment, config, client);
    case 'DEL':
      return remove(environment, config, client, note);
    case 'CHECK':
      needs(config, 'CHECK', '0.4.0');
      return check(environment, config, client);
    case 'GC':
      needs(config, 'GC', '1.1.0');
      return attempt(CODE.tryAgainLater, async () => {
        await client.gc({ valid: config.validAttachments });
      });
    case 'STATUS':
      needs(config, 'STATUS', '1.1.0');
      return status(client);
  }
}

function knownVersion(stdin: string): string {
  const version = versionOf(stdin);
  return SUPPORTED_VERSIONS.some(known => known === version) ? version : NEWEST_VERSION;
}

function needs(
  { cniVersion }: NetworkConfig,
  command: string,
  since: (typeof SUPPORTED_VERSIONS)[number],
): void {
  if (!isAtLeast(cniVersion, since))
    throw new CniError(
      CODE.incompatibleVersion,
      `${command} exists since CNI ${since}, the configuration says ${cniVersion}`,
    );
}

async function add(environment: Environment, config: NetworkConfig, client: NodeClient): Promise<unknown> {
  const result = resultBefore(config);
  if (!config.excludedNamespaces.has(environment.podNamespace))
    await attempt(CODE.tryAgainLater, () => client.add(podOf(environment, config)));
  return result;
}

/** Nothing here may keep a pod from ending: rules and listeners end with its network namespace. */
async function remove(
  environment: Environment,
  config: NetworkConfig,
  client: NodeClient,
  note: Note,
): Promise<undefined> {
  if (config.excludedNamespaces.has(environment.podNamespace)) return undefined;
  const { containerId, ifName, netns, podName, podNamespace } = environment;
  try {
    await client.delete({ containerId, ifName, netns, podName, podNamespace });
  } catch (error) {
    note(
      `DEL of ${containerId}: ${messageOf(error)} (${codeOf(error) ?? 'no code'}); node-proxy finds out by itself`,
    );
  }
  return undefined;
}

async function check(
  environment: Environment,
  config: NetworkConfig,
  client: NodeClient,
): Promise<undefined> {
  resultBefore(config);
  if (!config.excludedNamespaces.has(environment.podNamespace))
    await attempt(CODE.tryAgainLater, () => client.check(podOf(environment, config)));
  return undefined;
}

async function status(client: NodeClient): Promise<undefined> {
  // Without node-proxy the pods that are already enrolled are cut off, too: that is code 51.
  const answer = await attempt(CODE.limitedConnectivity, () => client.status());
  if (answer.ready) return undefined;
  throw new CniError(
    CODE.notAvailable,
    `node-proxy is not ready: ${answer.blockers.join('; ') || 'no reason given'}`,
  );
}

function resultBefore({ prevResult, cniVersion }: NetworkConfig): Record<string, unknown> {
  if (prevResult !== undefined) return { cniVersion, ...prevResult };
  throw new CniError(
    CODE.badConfig,
    'there is no prevResult',
    'nodemesh makes no network of its own: put it last in the list of "plugins" of the network configuration.',
  );
}

function podOf(environment: Environment, { ips, labels }: NetworkConfig): PodAdd {
  const { containerId, ifName, netns, podName, podNamespace } = environment;
  return {
    containerId,
    ifName,
    netns,
    podName,
    podNamespace,
    ips,
    ...(labels === undefined ? {} : { labels }),
  };
}

/** @param unreachable code for the case that nobody answers. */
async function attempt<T>(unreachable: number, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new CniError(
      codeFor(error, unreachable),
      error.message,
      [error.code, error.next].filter(Boolean).join(': '),
    );
  }
}

function codeFor(error: MeshError, unreachable: number): number {
  if (!(error instanceof NodeRefused)) return unreachable;
  if (error.status === 503) return CODE.tryAgainLater;
  return error.code === 'NM_CAPTURE_NETNS' ? CODE.unknownContainer : CODE.refused;
}
