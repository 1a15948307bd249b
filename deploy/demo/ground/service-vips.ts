/**
 * A stand-in for kube-proxy: virtual addresses of services become addresses of ready replicas by DNAT in the
 * node's namespace. Enrolled pods never get that far (their connections are captured before); this is the road
 * of everybody else, as on any cluster.
 */

import type { NetNamespace } from './namespace.ts';

const CHAIN = 'SERVICES';

export interface VirtualPort {
  vip: string;
  port: number;
  /** `ip:port` of the ready replicas; none means: refuse. */
  replicas: readonly string[];
}

/** Replaces all rules of a node in one step. */
export async function setServiceVips(node: NetNamespace, ports: readonly VirtualPort[]): Promise<void> {
  const nat = [`:${CHAIN} - [0:0]`];
  const filter = [`:${CHAIN} - [0:0]`];
  for (const { vip, port, replicas } of ports) {
    const match = `-A ${CHAIN} -d ${vip}/32 -p tcp -m tcp --dport ${port}`;
    if (replicas.length === 0) filter.push(`${match} -j REJECT --reject-with tcp-reset`);
    replicas.forEach((replica, i) => {
      const share = (1 / (replicas.length - i)).toFixed(6);
      const chance = i === replicas.length - 1 ? '' : ` -m statistic --mode random --probability ${share}`;
      nat.push(`${match}${chance} -j DNAT --to-destination ${replica}`);
    });
  }
  const rules = ['*nat', ...nat, 'COMMIT', '*filter', ...filter, 'COMMIT', ''].join('\n');
  await node.run(['iptables-restore', '--noflush'], { input: rules });
}

/** Hooks the rules in; once per node, before {@link setServiceVips}. */
export async function prepareServiceVips(node: NetNamespace): Promise<void> {
  await setServiceVips(node, []);
  for (const hook of ['nat PREROUTING', 'nat OUTPUT', 'filter FORWARD', 'filter OUTPUT']) {
    const [table = '', chain = ''] = hook.split(' ');
    await node.run(['iptables', '-t', table, '-A', chain, '-j', CHAIN]);
  }
}
