/** Addresses that more than one object claims: a warning for each that does not have what it says. */

import type { ObjectStatus } from '../../resources/status.ts';
import type { Service, Sourced, Workload } from '../model.ts';
import type { Claims } from './claims.ts';

interface Claimed<T> {
  addresses: Claims;
  documents: ReadonlyMap<string, Sourced<T>>;
}

export function* addressConflicts(
  services: Claimed<Service>,
  workloads: Claimed<Workload>,
): Generator<ObjectStatus> {
  yield* lostClaims('Service', services);
  yield* lostClaims('Workload', workloads);
  for (const [key, { value, source }] of workloads.documents)
    for (const ip of value.addresses) {
      const service = services.addresses.winner(ip);
      if (service !== undefined)
        yield warning(
          'Workload',
          key,
          source,
          `the address ${ip} is the one of Service ${service}, which goes before`,
        );
    }
}

function* lostClaims<T>(kind: string, { addresses, documents }: Claimed<T>): Generator<ObjectStatus> {
  for (const { thing: ip, claimants } of addresses.contested()) {
    const [winner = '', ...losers] = claimants;
    const message = `the address ${ip} is also claimed by ${kind} ${winner}, which comes first by name and has it`;
    for (const key of losers) yield warning(kind, key, documents.get(key)?.source ?? '', message);
  }
}

function warning(kind: string, key: string, source: string, message: string): ObjectStatus {
  return { kind, key, source, state: 'warning', messages: [message] };
}
