import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressState, Replica } from '#api';
import { Bindings } from '../../../../node-proxy/resolve/bindings.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const ADDRESS = '10.0.0.1:80';
const replica = (more: Partial<Replica> = {}): Replica => ({
  address: ADDRESS,
  workload: 'shop/c',
  node: 'node-2',
  identity: 'spiffe://mesh.test/ns/shop/sa/c',
  hbone: true,
  zone: '',
  weight: 1,
  terminating: false,
  ...more,
});
const workload = (more: Partial<Replica> = {}): AddressState => ({
  target: 'workload',
  replica: replica(more),
});
const service = (...replicas: Replica[]): AddressState => ({
  target: 'service',
  namespace: 'shop',
  service: 'c',
  port: '80',
  name: '/svc/shop/c/80',
  appProtocol: '',
  bound: {
    state: 'bound',
    tree: {
      type: 'union',
      branches: [
        {
          weight: 1,
          tree: { type: 'leaf', id: '/c', residual: '', replicas: { state: 'bound', replicas } },
        },
      ],
    },
  },
});

function bindingsOf(stored: AddressState, connected: boolean) {
  const clock = new FakeClock();
  const sent: AddressState[] = [];
  let live: (state: AddressState | undefined) => void = () => {};
  const source = {
    watchAddress: (_: string, onState: typeof live) => {
      live = onState;
      return () => {};
    },
  };
  const states = new Map([[ADDRESS, stored]]);
  const bindings = new Bindings(
    source,
    (_, __, state) => sent.push(state),
    { states, connected: () => connected, clock },
    () => {},
  );
  bindings.watch(0, ADDRESS);
  return { bindings, clock, sent, live: (state: AddressState | undefined) => live(state) };
}

describe('stored bindings', () => {
  it('are used at once while namerd is away', () => {
    assert.deepEqual(bindingsOf(workload(), false).sent, [workload()]);
  });

  it('wait for the live answer while namerd is connected, and are not used after it', () => {
    const { sent, live, clock } = bindingsOf(workload(), true);
    assert.deepEqual(sent, []);
    live(undefined);
    clock.advance(1_000);
    assert.deepEqual(sent, [{ target: 'foreign' }]);
  });

  it('are used after half a second without an answer', () => {
    const { sent, clock } = bindingsOf(workload(), true);
    clock.advance(499);
    assert.deepEqual(sent, []);
    clock.advance(1);
    assert.deepEqual(sent, [workload()]);
  });

  it('end with the last worker that asks', () => {
    const { bindings, sent, clock } = bindingsOf(workload(), true);
    bindings.unwatch(0, ADDRESS);
    clock.advance(1_000);
    assert.deepEqual(sent, []);
    assert.equal(clock.timers, 0);
  });

  it('are never used when they could send plaintext to somebody in the mesh', () => {
    assert.deepEqual(bindingsOf(workload({ hbone: false }), false).sent, []);
    assert.deepEqual(bindingsOf(service(replica(), replica({ hbone: false })), false).sent, []);
    const harmless = [workload({ hbone: false, identity: '' }), service(replica()), service()];
    for (const state of harmless) assert.deepEqual(bindingsOf(state, false).sent, [state]);
  });
});
