/** One way from a client pod to a server pod, and the processes that it costs. */

import type { Pod } from '../../deploy/demo/ground/pod.ts';
import type { Target } from '../load/jobs.ts';

export const NAMES = [
  'direct-near',
  'direct-far',
  'haproxy-tcp',
  'haproxy-mtls',
  'haproxy-mtls-resumed',
  'mesh-near',
  'mesh-far',
] as const;

export type ContenderName = (typeof NAMES)[number];

export const TITLES: Record<ContenderName, string> = {
  'direct-near': 'direct, same node',
  'direct-far': 'direct, other node',
  'haproxy-tcp': 'haproxy tcp, same node',
  'haproxy-mtls': 'haproxy mTLS pair',
  'haproxy-mtls-resumed': 'haproxy mTLS pair, resumption',
  'mesh-near': 'nodemesh, same node',
  'mesh-far': 'nodemesh mTLS, other node',
};

export interface Contender {
  name: ContenderName;
  /** The load generator runs in this pod… */
  client: Pod;
  /** …and connects there. */
  target: Target;
  /** The proxies on the way, by process id; asked anew each time, since processes are replaced. */
  pids: () => number[];
}
