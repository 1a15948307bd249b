/**
 * node cni-plugin/install/main.ts install   --binary dist/nodemesh-cni [--conf-dir D] [--bin-dir D] [--socket PATH]
 *                                           [--excluded-namespace NAME]… [--timeout-seconds N]
 * node cni-plugin/install/main.ts uninstall [--conf-dir D] [--bin-dir D]
 */

import { parseArgs } from 'node:util';
import { MeshError, messageOf } from '#base/errors.ts';
import { install, uninstall } from './install.ts';
import type { PluginSettings } from './network-list.ts';

const USAGE = `usage: install --binary FILE [--conf-dir DIR] [--bin-dir DIR] [--socket PATH] [--excluded-namespace NAME]… [--timeout-seconds N]
       uninstall [--conf-dir DIR] [--bin-dir DIR]
defaults: --conf-dir /etc/cni/net.d --bin-dir /opt/cni/bin`;

const OPTIONS = {
  'conf-dir': { type: 'string', default: '/etc/cni/net.d' },
  'bin-dir': { type: 'string', default: '/opt/cni/bin' },
  binary: { type: 'string' },
  socket: { type: 'string' },
  'excluded-namespace': { type: 'string', multiple: true },
  'timeout-seconds': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function main(args: string[]): number {
  const { positionals, values } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const directories = { confDir: values['conf-dir'], binDir: values['bin-dir'] };
  const [verb, ...rest] = positionals;
  if (values.help || rest.length > 0 || (verb !== 'install' && verb !== 'uninstall'))
    return usage(values.help ? 0 : 2);
  if (verb === 'uninstall') return report(uninstall(directories));
  if (values.binary === undefined) return usage(2);
  const settings: PluginSettings = {
    ...(values.socket === undefined ? {} : { socket: values.socket }),
    ...(values['excluded-namespace'] === undefined
      ? {}
      : { excludedNamespaces: values['excluded-namespace'] }),
    ...(values['timeout-seconds'] === undefined ? {} : { timeoutSeconds: Number(values['timeout-seconds']) }),
  };
  return report(install(directories, values.binary, settings));
}

function usage(status: number): number {
  (status === 0 ? process.stdout : process.stderr).write(`${USAGE}\n`);
  return status;
}

function report(lines: readonly string[]): number {
  process.stdout.write(`${lines.length === 0 ? 'nothing to do' : lines.join('\n')}\n`);
  return 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  const next = error instanceof MeshError && error.next !== undefined ? `\n${error.next}` : '';
  process.stderr.write(`nodemesh: ${messageOf(error)}${next}\n`);
  process.exitCode = 1;
}
