/**
 * Putting capture into a pod, checking it, and taking it out. All rules live inside the pod's own network namespace,
 * so a deleted pod leaves nothing.
 *
 * Calls for one pod must not overlap (its owner in node-proxy runs them in turn); pods are independent of one another.
 */

import { CaptureError } from './capture-error.ts';
import { runInside } from './enter.ts';
import { detectIptables, type Iptables, iptablesOf } from './flavour.ts';
import { RETURN_ROUTING, type RuleSet } from './rules.ts';
import {
  differencesOf,
  firstScript,
  hasChanged,
  type IPv6State,
  isEmpty,
  leftoverScript,
  lookScript,
  readIPv6,
  readLook,
  removalScript,
  replacementScript,
  type Seen,
} from './script.ts';

export interface Inspection {
  state: 'complete' | 'missing' | 'partial';
  /** One sentence each; empty when complete. */
  differences: readonly string[];
  ipv6: IPv6State;
}

export interface Applied {
  /** False if everything was in place already. */
  changed: boolean;
  ipv6: IPv6State;
}

export class Capture {
  readonly iptables: Iptables;

  /** @param iptables which commands to use; {@link Capture.detect} finds out. */
  constructor(iptables: Iptables) {
    this.iptables = iptables;
  }

  /** Finds out which iptables works here; tens of milliseconds, once per process. @throws CaptureError */
  static async detect(env: NodeJS.ProcessEnv = process.env): Promise<Capture> {
    return new Capture(await detectIptables(env));
  }

  /**
   * Makes the pod's rules exactly these. A pod without rules takes one script; a pod that has them already is not
   * touched; anything else is replaced, table by table, without a moment unprotected.
   * @param netns path, for example `/run/netns/NAME` or `/proc/PID/ns/net`.
   * @throws CaptureError, also if the kernel did not keep what it was given.
   */
  async apply(netns: string, rules: RuleSet): Promise<Applied> {
    const first = await runInside(netns, firstScript(this.iptables, rules));
    if (first.status === 0) return { changed: true, ipv6: readIPv6(first.stdout) };
    const seen = await this.#look(netns);
    const before = judge(rules, seen);
    if (before.state === 'complete') return { changed: hasChanged(first.stdout), ipv6: before.ipv6 };
    await succeed(netns, replacementScript(this.iptables, rules, seen));
    const after = await this.inspect(netns, rules);
    if (after.state === 'complete') return { changed: true, ipv6: after.ipv6 };
    throw new CaptureError(
      'NM_CAPTURE_RULES',
      `${netns} did not keep its rules: ${after.differences.join('; ')}`,
      {
        next: 'Look for other software that changes iptables or routing rules inside pods.',
      },
    );
  }

  /** Compares without changing anything. @throws CaptureError */
  async inspect(netns: string, rules: RuleSet): Promise<Inspection> {
    return judge(rules, await this.#look(netns));
  }

  /**
   * Ends capture, of either flavour; idempotent. With `keepReturnPath` new connections are no longer captured, but
   * answers on connections that the proxy has opened to the application still find their way: for draining, to
   * be followed by a full removal.
   * @throws CaptureError, also if the namespace is gone: the caller knows whether that is fine.
   */
  async remove(netns: string, { keepReturnPath = false } = {}): Promise<void> {
    const other = iptablesOf(this.iptables.flavour === 'nft' ? 'legacy' : 'nft');
    const leftovers = await succeed(netns, leftoverScript(other));
    for (const [iptables, seen] of [
      [this.iptables, await this.#look(netns)],
      [other, readLook(leftovers, RETURN_ROUTING)],
    ] as const) {
      const script = removalScript(iptables, seen, keepReturnPath);
      if (script !== '') await succeed(netns, script);
    }
  }

  async #look(netns: string): Promise<Seen> {
    return readLook(await succeed(netns, lookScript(this.iptables, RETURN_ROUTING)), RETURN_ROUTING);
  }
}

function judge(rules: RuleSet, seen: Seen): Inspection {
  const differences = differencesOf(rules, seen);
  const state = differences.length === 0 ? 'complete' : isEmpty(seen) ? 'missing' : 'partial';
  return { state, differences, ipv6: seen.ipv6 };
}

/** @returns standard output. */
async function succeed(netns: string, script: string): Promise<string> {
  const { status, stdout, stderr } = await runInside(netns, script);
  if (status === 0) return stdout;
  const missing = /(\S+): (?:command )?not found/.exec(stderr)?.[1];
  throw new CaptureError(
    'NM_CAPTURE_RULES',
    `${netns}: ${stderr.trim().replaceAll('\n', '; ') || `status ${status}`}`,
    {
      next:
        missing === undefined
          ? 'Check that node-proxy has CAP_NET_ADMIN, and that the kernel has the nat and mangle tables and the mark, connmark and multiport matches.'
          : `Install ${missing} (packages iptables, iproute2) on the node.`,
    },
  );
}
