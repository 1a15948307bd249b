/** Whether two states say the same, so that nothing is sent when nothing changed. */

import type { AddressState, BoundTree, NameState, ReplicaSet } from '#api';
import { sameReplica } from '../registry/index.ts';
import { sameDocument } from '../registry/sources/merge.ts';
import type { Binding } from './evaluation.ts';

export function sameBinding(a: Binding, b: Binding): boolean {
  if (a === b) return true;
  if (a.state === 'ok' && b.state === 'ok') return sameTree(a.value, b.value);
  if (a.state === 'failed' && b.state === 'failed') return a.error.message === b.error.message;
  return a.state === b.state;
}

function sameTree(a: BoundTree, b: BoundTree): boolean {
  if (a === b) return true;
  if (a.type === 'leaf' && b.type === 'leaf')
    return (
      a.id === b.id &&
      a.residual === b.residual &&
      sameReplicaSet(a.replicas, b.replicas) &&
      sameDocument(a.client, b.client)
    );
  if (a.type === 'union' && b.type === 'union')
    return sameList(a.branches, b.branches, (x, y) => x.weight === y.weight && sameTree(x.tree, y.tree));
  return a.type === b.type && a.type !== 'leaf' && a.type !== 'union';
}

function sameReplicaSet(a: ReplicaSet, b: ReplicaSet): boolean {
  if (a === b) return true;
  if (a.state === 'bound' && b.state === 'bound') return sameList(a.replicas, b.replicas, sameReplica);
  if (a.state === 'failed' && b.state === 'failed') return a.message === b.message;
  return a.state === b.state;
}

function sameNameState(a: NameState, b: NameState): boolean {
  if (a.state === 'bound' && b.state === 'bound') return sameTree(a.tree, b.tree);
  return a.state === 'failed' && b.state === 'failed' && a.message === b.message;
}

export function sameAddressState(a: AddressState | undefined, b: AddressState | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  if (a.target === 'workload' && b.target === 'workload') return sameReplica(a.replica, b.replica);
  if (a.target === 'unserved' && b.target === 'unserved')
    return a.namespace === b.namespace && a.service === b.service;
  if (a.target === 'service' && b.target === 'service')
    return (
      a.name === b.name &&
      a.appProtocol === b.appProtocol &&
      sameNameState(a.bound, b.bound) &&
      sameDocument(a.http, b.http)
    );
  return a.target === 'foreign' && b.target === 'foreign';
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((x, i) => same(x, b[i] as T));
}
