/** Where a peer takes requests, and the rules that every contender applies to each of them. */

/** Ports. */
export interface Doors {
  http: number;
  grpc: number;
}

/** Of the peers in the client's pod, and of their other halves on the other node. */
export const DOORS = {
  haproxy: { http: 15111, grpc: 15112 },
  haproxyPair: { http: 15113, grpc: 15114 },
  haproxyFar: { http: 15115, grpc: 15116 },
  nginx: { http: 15121, grpc: 15122 },
  nginxPair: { http: 15123, grpc: 15124 },
  nginxFar: { http: 15125, grpc: 15126 },
  envoy: { http: 15131, grpc: 15132 },
  envoyPair: { http: 15133, grpc: 15134 },
  envoyFar: { http: 15135, grpc: 15136 },
  nodeHttp2: { http: 0, grpc: 15142 },
} as const satisfies Record<string, Doors>;

export type Rule =
  | { name: string; exact: string }
  | { name: string; prefix: string }
  | { name: string; header: string; value: string };

/** What the load asks for fits the fourth and the fifth; nothing fits what none names. */
export const RULES: readonly Rule[] = [
  { name: 'health', exact: '/health' },
  { name: 'admin', prefix: '/admin' },
  { name: 'canary', header: 'x-canary', value: 'yes' },
  { name: 'bytes', prefix: '/bytes' },
  { name: 'source', prefix: '/bench.Source' },
];
