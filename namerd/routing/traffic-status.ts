/** What is to be said about traffic policies: which hold, and which another one keeps from holding. */

import { portLabel, type ServicePort } from '../registry/index.ts';
import type { ObjectStatus } from '../resources/index.ts';
import { portProtocol } from './protocol-table.ts';
import type { RoutingView } from './route-status.ts';
import { isTargetPort, type PlacedTraffic, placeOf, policyFor } from './routing-index.ts';

/** `error`: it is in force for no port. */
export function trafficStatus({ index, service: lookUp }: RoutingView, policy: PlacedTraffic): ObjectStatus {
  const { target, protocol, warnings } = policy.value;
  const key = `${policy.metadata.namespace}/${target.service}`;
  const service = lookUp(key);
  const status = (state: ObjectStatus['state'], ...more: string[]): ObjectStatus => {
    const messages = [...warnings, ...more];
    return { kind: 'TrafficPolicy', key: placeOf(policy), source: 'storage', state, messages };
  };
  if (service === undefined) return status('error', `not in force: there is no Service ${key}`);
  const ports = service.ports.filter(port => isTargetPort(policy.value, port));
  if (ports.length === 0)
    return status('error', `not in force: the Service ${key} has no port ${target.port}`);
  const { policies } = index.of(key);
  const lost = ports.flatMap(port => {
    const winner = policyFor(policies, port);
    return winner === undefined || winner === policy ? [] : [{ port, winner }];
  });
  const messages = lost.map(({ port, winner }) => lostTo(port, winner, target.port === undefined));
  if (lost.length === ports.length) return status('error', ...messages);
  // That a policy for one port goes before is what it was written for.
  const unmeant = lost.filter(
    ({ winner }) => winner.value.target.port === undefined || target.port !== undefined,
  );
  const opaque = ports.filter(port => protocol === undefined && portProtocol(port, undefined) === 'opaque');
  const silent =
    opaque.length === ports.length
      ? [
          `port ${opaque.map(portLabel).join(', ')} does not speak HTTP by what is declared, so the policy has no effect; to say otherwise, write protocol: http`,
        ]
      : [];
  const all = [
    ...unmeant.map(({ port, winner }) => lostTo(port, winner, target.port === undefined)),
    ...silent,
  ];
  return status(all.length + warnings.length > 0 ? 'warning' : 'ok', ...all);
}

function lostTo(port: ServicePort, winner: PlacedTraffic, wide: boolean): string {
  const why = wide && winner.value.target.port !== undefined ? 'names the port' : 'comes first by name';
  return `not in force for port ${portLabel(port)}: ${placeOf(winner)} ${why}`;
}
