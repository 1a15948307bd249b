/**
 * Which iptables to use. Two flavours share the name: `nft` and `legacy`; a kernel may support either or both, and
 * the wrong one fails, or works beside rules it does not see. Found once per node, by trying.
 */

import { CaptureError } from './capture-error.ts';
import { runInside } from './enter.ts';

/** Command names of one flavour, for both families. */
export interface Iptables {
  flavour: 'nft' | 'legacy';
  save: Readonly<Record<4 | 6, string>>;
  restore: Readonly<Record<4 | 6, string>>;
}

export function iptablesOf(flavour: 'nft' | 'legacy', infix = `-${flavour}`): Iptables {
  return {
    flavour,
    save: { 4: `iptables${infix}-save`, 6: `ip6tables${infix}-save` },
    restore: { 4: `iptables${infix}-restore`, 6: `ip6tables${infix}-restore` },
  };
}

/** Environment variable that decides instead of looking: `nft` or `legacy`. */
export const OVERRIDE = 'NODEMESH_IPTABLES';

/** Legacy counts as in use on the node from this many rules on; fewer are remains of a probe. */
const LEGACY_RULES_IN_USE = 3;

/**
 * Order: the override; legacy, if the node's own rules are legacy; nft; legacy; the plain command, whatever it is.
 * Usable means: it can add and list a rule that matches nothing, in a namespace made for the purpose.
 * @throws CaptureError that says what was tried.
 */
export async function detectIptables(env: NodeJS.ProcessEnv = process.env): Promise<Iptables> {
  const wanted = env[OVERRIDE];
  if (wanted !== undefined && wanted !== 'nft' && wanted !== 'legacy')
    throw new CaptureError('NM_CAPTURE_IPTABLES', `${OVERRIDE} is '${wanted}'`, {
      next: `Set it to nft or legacy.`,
    });
  const legacyFirst = wanted === undefined && (await legacyInUse());
  const order: Iptables[] =
    wanted !== undefined
      ? [iptablesOf(wanted)]
      : legacyFirst
        ? [iptablesOf('legacy'), iptablesOf('nft')]
        : [iptablesOf('nft'), iptablesOf('legacy')];
  // Distributions with one flavour only may have the plain names only.
  order.push(iptablesOf(wanted ?? 'nft', ''));
  const failures: string[] = [];
  for (const candidate of order) {
    const { status, stdout, stderr } = await tryOut(candidate);
    if (status === 0) {
      const flavour = stdout.includes('nf_tables') ? 'nft' : 'legacy';
      if (wanted === undefined || wanted === flavour) return { ...candidate, flavour };
      failures.push(`${candidate.restore[4]}: is ${flavour}`);
    } else failures.push(`${candidate.restore[4]}: ${stderr.trim().split('\n').at(-1) ?? status}`);
  }
  throw new CaptureError('NM_CAPTURE_IPTABLES', `no usable iptables (${failures.join('; ')})`, {
    next: 'Install iptables on the node, and check that the kernel has nf_tables or ip_tables with the nat and mangle tables.',
  });
}

function tryOut({ restore, save }: Iptables) {
  // Protocol 255 is reserved, so the rule matches nothing; nat, because that is what we need.
  const rules = '*nat\n-A OUTPUT -p 255 -j RETURN\nCOMMIT';
  return runInside(
    undefined,
    `${restore[4]} --version && ${restore[4]} --noflush <<'EOF' && ${save[4]} | grep -q -- '-p 255'\n${rules}\nEOF`,
  );
}

async function legacyInUse(): Promise<boolean> {
  // Only looks at tables that are loaded, thus loads none.
  const { stdout } = await runInside('/proc/self/ns/net', `iptables-legacy-save 2>/dev/null | grep -c '^-A'`);
  return Number(stdout.trim()) >= LEGACY_RULES_IN_USE;
}
