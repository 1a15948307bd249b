/** gRPC: one connection of a client, its calls spread over all replicas; an error of the application stays what it is. */

import type { GrpcDelivery } from '../../calculator/grpc/trip.ts';
import { GRPC_CALCULATOR, GRPC_WORKLOADS } from '../../inventory.ts';
import { failedCalls, readCounters } from '../../mesh/counters.ts';
import { sum } from '../../mesh/metrics.ts';
import { authorization, identity, trafficPolicy } from '../http/documents.ts';
import { inForce } from '../http/in-force.ts';
import type { Scenario } from '../scenario.ts';

const CALLS = 600;
const REPLICAS = ['division-1/v1', 'division-2/v1', 'division-3/v1'];
/** UNIMPLEMENTED and PERMISSION_DENIED, with the proxy's own word for it. */
const NO_ROUTE = '12 ×4 (no_route)';
const DENIED = '7 ×4 (policy)';
export const ORDER = { operation: 'division', target: 'division.grpc-calculator:5002', count: CALLS };

/** Calls are divided evenly; a quarter of them divides by zero, which is no reason to leave a replica alone. */
export const EVENLY = trafficPolicy(
  'division',
  { balancer: { kind: 'roundRobin' }, circuitBreaker: { consecutiveFailures: 0 } },
  GRPC_CALCULATOR,
);

/** Nothing but divisions; the dtab decides where they lead. */
export const METHODS = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GRPCRoute',
  metadata: { name: 'division', namespace: GRPC_CALCULATOR },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'division' }],
    rules: [
      {
        matches: [{ method: { service: 'calculator.Division', method: 'Divide' } }],
        backendRefs: [{ name: 'division', port: 5002 }],
      },
    ],
  },
};

export const NO_DIVISIONS = authorization(
  'no-divisions',
  'division',
  {
    action: 'DENY',
    rules: [
      {
        from: [{ identities: [identity('multiplication', GRPC_CALCULATOR)] }],
        to: [{ paths: ['/calculator.Division/*'] }],
      },
    ],
  },
  GRPC_CALCULATOR,
);

export const scenario: Scenario = {
  number: 16,
  title: 'gRPC calls of one client connection are balanced one by one',
  needs: GRPC_WORKLOADS,
  async run(stage, findings) {
    const mathfanboy = stage.cluster.get(`${GRPC_CALCULATOR}/mathfanboy-1`);
    // Calls nobody by itself: its connections are those of the orders.
    const caller = stage.cluster.get(`${GRPC_CALCULATOR}/multiplication-1`);
    const before = await stage.call(caller, ORDER);
    findings.equal('as TCP: replicas that answer one connection', 1, Object.keys(before.answeredBy).length);
    const spread = async () => {
      const { answeredBy } = await stage.call(caller, { ...ORDER, count: 6 });
      return Object.keys(answeredBy).length === REPLICAS.length;
    };
    const unknown = async () =>
      sum(await stage.samples(), 'nodemesh_requests_total', {
        reporter: 'source',
        source_workload: `${GRPC_CALCULATOR}/multiplication-1`,
        destination_service: `${GRPC_CALCULATOR}/division`,
        version: 'grpc',
        grpc_status: '2',
      });
    await inForce(stage, findings, [EVENLY], spread, async () => {
      const counted = await unknown();
      const delivery = await stage.call(caller, ORDER);
      findings.equal(`as gRPC: connections of the client, after ${CALLS} calls`, 1, delivery.connections);
      for (const replica of REPLICAS)
        findings.within(
          `as gRPC: calls answered by ${replica}`,
          // The twin's own divisions take turns too.
          [CALLS / 3 - 40, CALLS / 3 + 40],
          delivery.answeredBy[replica] ?? 0,
        );
      findings.equal(
        'outcome: OK and UNKNOWN, 10 divided by 0 to 3',
        `${(CALLS * 3) / 4}, ${CALLS / 4}`,
        outcome(delivery),
      );
      findings.add(
        'its message',
        'division by zero',
        delivery.lastMessage,
        delivery.lastMessage.includes('division by zero'),
      );
      findings.atLeast('status 2 of gRPC, by the metrics', CALLS / 4, (await unknown()) - counted);
    });
    const only = async (operation: string) =>
      described(await stage.call(caller, { ...ORDER, operation, count: 4 }));
    const refused = async () => (await only('addition')).startsWith('12 ');
    await inForce(stage, findings, [EVENLY, METHODS], refused, async () => {
      findings.equal('by GRPCRoute: an addition, which no rule fits', NO_ROUTE, await only('addition'));
      findings.equal('by GRPCRoute: divisions', '0 ×3, 2 ×1', await only('division'));
    });
    const denied = async () => (await only('division')).startsWith('7 ');
    await inForce(stage, findings, [NO_DIVISIONS], denied, async () => {
      findings.equal('by AuthorizationPolicy: divisions', DENIED, await only('division'));
    });
    for (const [target, counters] of Object.entries(await readCounters(mathfanboy.counters)))
      findings.equal(
        `the twin's own calls of ${target} that failed, all the while`,
        0,
        failedCalls(counters),
      );
  },
};

export function outcome({ codes }: GrpcDelivery): string {
  const others = Object.entries(codes).filter(([code]) => code !== '0' && code !== '2');
  return [codes['0'] ?? 0, codes['2'] ?? 0, ...others.map(([code, count]) => `code ${code} ×${count}`)].join(
    ', ',
  );
}

function described({ codes, lastMessage }: GrpcDelivery): string {
  const counts = Object.entries(codes).map(([code, count]) => `${code} ×${count}`);
  const reason = /^([a-z_]+): /.exec(lastMessage)?.[1];
  return `${counts.join(', ')}${reason === undefined ? '' : ` (${reason})`}`;
}
