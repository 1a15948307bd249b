/** What is to be said about grants. One for what is not there, or not ours, is no mistake, but hardly meant. */

import type { ObjectStatus } from '../resources/index.ts';
import type { RoutingView } from './route-status.ts';
import { type PlacedGrant, placeOf } from './routing-index.ts';

export function grantStatus({ service: lookUp }: RoutingView, grant: PlacedGrant): ObjectStatus {
  const { services, warnings } = grant.value;
  const keys = services === 'all' ? [] : services.map(name => `${grant.metadata.namespace}/${name}`);
  const missing = keys.filter(key => lookUp(key) === undefined).map(key => `there is no Service ${key}`);
  const messages = [...warnings, ...missing];
  const state = messages.length > 0 ? 'warning' : 'ok';
  return { kind: 'ReferenceGrant', key: placeOf(grant), source: 'storage', state, messages };
}
