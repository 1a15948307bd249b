/**
 * Puts the plugin on a node: the executable into the runtime's plugin directory, our entry into the network
 * configuration the runtime uses. And back: what was there before is restored to the byte, unless somebody changed
 * it in between; then only our entry is taken out.
 *
 * Both are idempotent, and each step leaves the node working if it is the last one: the executable comes before
 * its entry and goes after it.
 */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import { readNetworkConfig } from '../network-config.ts';
import { isSameFile, replaceByCopy, replaceFile, syncDirectory } from './atomic-file.ts';
import {
  checkVersion,
  hasPlugin,
  InstallError,
  isSameList,
  type NetworkList,
  PLUGIN_TYPE,
  type PluginSettings,
  printList,
  readNetworkList,
  withoutPlugin,
  withPlugin,
} from './network-list.ts';

export interface Directories {
  /** Where the runtime looks for network configurations, usually /etc/cni/net.d. */
  confDir: string;
  /** Where the runtime looks for plugins, usually /opt/cni/bin. */
  binDir: string;
}

/** What was done, one sentence each; empty = nothing was to do. */
export type Report = string[];

/** The file as it was before us, kept beside it under a name that runtimes pass over. */
const SAVED = '.before-nodemesh';
const EXTENSIONS = new Set(['.conf', '.conflist', '.json']);
/** A network configuration is some hundred bytes. */
const MAX_CONFIG_BYTES = 1 << 20;

interface NetworkFile {
  path: string;
  text: string;
  list: NetworkList;
}

/** @param binary the executable that build.mjs made. @throws InstallError, or an error of node:fs. */
export function install(
  { confDir, binDir }: Directories,
  binary: string,
  settings: PluginSettings = {},
): Report {
  const file = findNetwork(confDir);
  const wanted = withPlugin(file.list, settings);
  const listed = `${file.path.slice(0, -extname(file.path).length)}.conflist`;
  check(file, wanted, listed);

  const report: Report = [];
  const target = join(binDir, PLUGIN_TYPE);
  if (!isSameFile(target, binary)) {
    replaceByCopy(target, binary, { mode: 0o755, uid: 0, gid: 0, ...ownIds() });
    report.push(`copied ${binary} to ${target}`);
  }
  if (listed === file.path && isSameList(file.list, wanted)) return report;
  const attributes = statSync(file.path);
  // Only what is free of us is worth keeping; a second install must not overwrite it by our own work.
  if (!hasPlugin(file.list)) replaceFile(`${file.path}${SAVED}`, file.text, attributes);
  replaceFile(listed, printList(wanted, file.text), attributes);
  report.push(`added ${PLUGIN_TYPE} to network ${wanted.name} in ${listed}`);
  if (listed !== file.path) {
    // It sorts before the list, so the runtime would go on using it.
    rmSync(file.path);
    syncDirectory(confDir);
    report.push(`replaced ${file.path} by ${listed}`);
  }
  return report;
}

/** All that can be wrong is found before anything is changed. @throws InstallError */
function check(file: NetworkFile, wanted: NetworkList, listed: string): void {
  checkVersion(wanted);
  // What the plugin would refuse at the first pod is refused here.
  const { cniVersion, name, plugins } = wanted;
  try {
    readNetworkConfig(JSON.stringify({ ...plugins.at(-1), cniVersion, name }));
  } catch (error) {
    throw new InstallError(messageOf(error), 'Correct the options of the installation.', error);
  }
  // A list with our entry is the work of an installation that was cut short.
  const other = listed !== file.path && existsSync(listed) ? readNetwork(listed) : undefined;
  if (other !== undefined && !hasPlugin(other.list))
    throw new InstallError(
      `both ${file.path} and ${listed} exist`,
      'Remove the one that is not used: nodemesh needs the .conflist form, and would overwrite it.',
    );
}

/** Takes our entry out of all configurations, then removes the executable. Fine if there is nothing of ours. */
export function uninstall({ confDir, binDir }: Directories): Report {
  const report: Report = [];
  for (const name of existsSync(confDir) ? readdirSync(confDir).sort() : []) {
    if (!EXTENSIONS.has(extname(name))) continue;
    const file = readNetwork(join(confDir, name));
    if (file === undefined || !hasPlugin(file.list)) continue;
    report.push(restore(file));
  }
  const target = join(binDir, PLUGIN_TYPE);
  if (existsSync(target)) {
    rmSync(target);
    report.push(`removed ${target}`);
  }
  return report;
}

function restore(file: NetworkFile): string {
  const rest = withoutPlugin(file.list);
  const base = file.path.slice(0, -extname(file.path).length);
  for (const original of [file.path, `${base}.conf`, `${base}.json`]) {
    const saved = `${original}${SAVED}`;
    if (!existsSync(saved)) continue;
    const before = readNetworkList(readFileSync(saved, 'utf8'));
    if (before === undefined || !isSameList(before, rest)) {
      rmSync(saved);
      continue;
    }
    // Its mode and owner are those of the original.
    renameSync(saved, original);
    if (original !== file.path) rmSync(file.path);
    syncDirectory(join(file.path, '..'));
    return `restored ${original}`;
  }
  replaceFile(file.path, printList(rest, file.text), statSync(file.path));
  return `removed ${PLUGIN_TYPE} from ${file.path}, which has changed since the installation`;
}

/** The first good configuration in lexical order: the one that runtimes use. */
function findNetwork(confDir: string): NetworkFile {
  const names = existsSync(confDir) ? readdirSync(confDir).filter(name => EXTENSIONS.has(extname(name))) : [];
  for (const name of names.sort()) {
    const file = readNetwork(join(confDir, name));
    if (file !== undefined) return file;
  }
  throw new InstallError(
    `${confDir} has no network configuration${names.length === 0 ? '' : ` that could be read (${names.join(', ')})`}`,
    'Install a network plugin on this node first (nodemesh is chained after it), or give --conf-dir.',
  );
}

function readNetwork(path: string): NetworkFile | undefined {
  if (statSync(path).size > MAX_CONFIG_BYTES) return undefined;
  const text = readFileSync(path, 'utf8');
  const list = readNetworkList(text);
  return list === undefined ? undefined : { path, text, list };
}

/** Who is not root can install for themselves, as tests do. */
function ownIds(): { uid?: number; gid?: number } {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}
