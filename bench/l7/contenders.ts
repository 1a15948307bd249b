/** Who takes part in the L7 comparison. */

import type { Pod } from '../../deploy/demo/ground/pod.ts';
import type { Target } from '../load/jobs.ts';

export const NAMES = [
  'direct-near',
  'haproxy',
  'nginx',
  'envoy',
  'node-http2',
  'mesh-l4-near',
  'mesh-near',
  'direct-far',
  'haproxy-pair',
  'nginx-pair',
  'envoy-pair',
  'mesh-l4-far',
  'mesh-far',
] as const;

export type Name = (typeof NAMES)[number];

export const TITLES: Record<Name, string> = {
  'direct-near': 'direct, same node',
  haproxy: 'haproxy, one hop',
  nginx: 'nginx, one hop',
  envoy: 'envoy, one hop',
  'node-http2': 'node:http2, one hop',
  'mesh-l4-near': 'nodemesh L4, same node',
  'mesh-near': 'nodemesh L7, one hop',
  'direct-far': 'direct, other node',
  'haproxy-pair': 'haproxy mTLS pair',
  'nginx-pair': 'nginx mTLS pair',
  'envoy-pair': 'envoy mTLS pair',
  'mesh-l4-far': 'nodemesh L4, two nodes',
  'mesh-far': 'nodemesh L7, two nodes',
};

export type Protocol = 'http' | 'grpc';

/** One way from the client's pod to the servers. */
export interface Contender {
  name: Name;
  client: Pod;
  /** Where the load goes; a protocol that it does not carry is absent. */
  targets: Partial<Record<Protocol, Target>>;
  /** The proxies on the way; asked anew each time, since processes are replaced. */
  pids: () => number[];
}
