/**
 * A corner of the machine of our own: private network, mount and process namespaces. The demo and the tests
 * run inside one, so that nothing they make (namespaces, addresses, iptables rules, processes) exists outside
 * it, and all of it is gone with its first process, however that one ends. For everyone but root the corner
 * gets a user namespace as well, in which they are root.
 *
 * Invariant: what runs inside sees a fresh /run (`ip netns` keeps its names there) and a loopback device.
 */

import { spawnSync } from 'node:child_process';

export type Isolation =
  | { possible: true /** Put in front of a command. */; prefix: readonly string[] }
  | { possible: false; reason: string };

/** Set inside the corner, so that it is entered once. */
const MARK = 'NODEMESH_ISOLATED';

const PREPARE = 'mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && exec "$@"';

/** Programs such as `ip` live where an ordinary user's PATH does not look. */
export function systemPath(path = process.env.PATH ?? ''): string {
  const missing = ['/usr/sbin', '/sbin'].filter(folder => !path.split(':').includes(folder));
  return [path, ...missing].join(':');
}

export function isIsolated(): boolean {
  return process.env[MARK] === '1';
}

/** Whether this machine lets us make such a corner; tried once for real, because only the kernel knows. */
export function isolation(): Isolation {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const prefix = [
    'unshare',
    ...user,
    ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...['env', `${MARK}=1`, `PATH=${systemPath()}`, 'sh', '-c', PREPARE, 'sh'],
  ];
  const [command = '', ...rest] = prefix;
  const env = { ...process.env, PATH: systemPath() };
  const { status, stderr, error } = spawnSync(command, [...rest, 'true'], { encoding: 'utf8', env });
  if (status === 0) return { possible: true, prefix };
  const why = error?.message ?? stderr.trim().split('\n', 1)[0] ?? `exit ${status}`;
  const hint =
    user.length === 0
      ? 'root inside a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN'
      : 'run as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0)';
  return { possible: false, reason: `no private namespaces: ${why}; ${hint}` };
}
