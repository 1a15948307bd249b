/**
 * One short shell script inside a pod's network namespace. A child process, because the event loop must not wait for
 * iptables; one script, because starting processes is most of the cost.
 *
 * Invariant: every script ends: by itself, or by the deadline together with all it started.
 */

import { spawn } from 'node:child_process';
import { CaptureError } from './capture-error.ts';

/** Far beyond the usual 20 ms; a machine that needs longer has other troubles. */
export const SCRIPT_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 4 << 20;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ScriptResult {
  /** Exit code; 128+ if killed by a signal. */
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * @param netns path of the namespace, absolute; undefined = a new, empty one that ends with the script.
 * @throws CaptureError if the namespace is gone, a command is missing, or the deadline passes; not for a failing script.
 */
export function runInside(
  netns: string | undefined,
  script: string,
  timeoutMs = SCRIPT_TIMEOUT_MS,
): Promise<ScriptResult> {
  if (netns !== undefined && !/^\/[^\0]+$/.test(netns))
    return Promise.reject(
      new CaptureError('NM_CAPTURE_NETNS', `'${netns}' is no absolute path of a network namespace`),
    );
  const [command, flag] = netns === undefined ? ['unshare', '--net'] : ['nsenter', `--net=${netns}`];
  const child = spawn(command, [flag, '--', 'sh', '-c', `echo @entered\n${script}`], {
    // Its own process group, so that the deadline reaches the script's children too.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: SYSTEM_PATH,
      LC_ALL: 'C',
      // The lock of legacy iptables, per namespace: kube-proxy holding the machine's lock does not hold up pods.
      ...(netns === undefined ? {} : { XTABLES_LOCKFILE: netns }),
    },
  });
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let reason: string | undefined;
    const kill = (why: string) => {
      reason ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Already gone: 'close' follows.
      }
    };
    const timer = setTimeout(() => kill(`did not finish within ${timeoutMs} ms`), timeoutMs);
    child.stdout.setEncoding('utf8').on('data', chunk => {
      stdout += chunk;
      if (stdout.length > MAX_OUTPUT_BYTES) kill(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
    });
    child.stderr.setEncoding('utf8').on('data', chunk => {
      if (stderr.length < MAX_OUTPUT_BYTES) stderr += chunk;
    });
    child.once('error', cause => {
      clearTimeout(timer);
      reject(
        new CaptureError('NM_CAPTURE_COMMAND', `${command} can't be started`, {
          cause,
          next: 'Install util-linux (nsenter, unshare) on the node.',
        }),
      );
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (reason !== undefined)
        return reject(new CaptureError('NM_CAPTURE_TIMEOUT', `the capture script ${reason}`));
      if (!stdout.startsWith('@entered\n')) return reject(notEntered(netns, stderr));
      resolve({
        status: code ?? (signal === null ? 1 : 128),
        stdout: stdout.slice('@entered\n'.length),
        stderr,
      });
    });
  });
}

function notEntered(netns: string | undefined, stderr: string): CaptureError {
  const gone = /No such file/.test(stderr);
  return new CaptureError(
    'NM_CAPTURE_NETNS',
    `can't enter ${netns ?? 'a new network namespace'}: ${stderr.trim()}`,
    {
      next: gone
        ? 'The pod is probably gone.'
        : 'node-proxy needs CAP_SYS_ADMIN and the host’s network namespaces mounted.',
    },
  );
}
