import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressState } from '#api';
import { EndpointTable } from '../../../../node-proxy/balance/index.ts';
import { Bindings } from '../../../../node-proxy/resolve/bindings.ts';
import { Resolver } from '../../../../node-proxy/resolve/index.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const workload = (address: string): AddressState => ({
  target: 'workload',
  replica: {
    address,
    workload: 'a/b',
    node: 'n',
    identity: '',
    hbone: true,
    zone: '',
    weight: 1,
    terminating: false,
  },
});

function setUp(limit = 10) {
  const clock = new FakeClock();
  // The cache takes a time of exactly 0 for "no time".
  clock.advance(1);
  const asked: string[] = [];
  const endpoints = new EndpointTable(() => clock.monotonic());
  const resolver = new Resolver({
    clock,
    endpoints,
    watch: address => asked.push(`+${address}`),
    unwatch: address => asked.push(`-${address}`),
    timeoutMs: 5_000,
    limit,
    idleMs: 600_000,
  });
  return { clock, asked, endpoints, resolver };
}

describe('a worker resolving addresses', () => {
  it('asks once however many wait, and answers all of them', async () => {
    const { resolver, asked } = setUp();
    const answers = Promise.all([resolver.resolve('10.0.0.1:80'), resolver.resolve('10.0.0.1:80')]);
    resolver.bind('10.0.0.1:80', { target: 'foreign' });
    assert.deepEqual(await answers, [{ kind: 'foreign' }, { kind: 'foreign' }]);
    assert.deepEqual(asked, ['+10.0.0.1:80']);
    assert.deepEqual(resolver.known('10.0.0.1:80'), { kind: 'foreign' });
  });

  it('gives up waiting after the time-out but keeps the watch', async () => {
    const { resolver, clock } = setUp();
    const answer = resolver.resolve('10.0.0.1:80');
    clock.advance(5_000);
    assert.equal(await answer, undefined);
    resolver.bind('10.0.0.1:80', { target: 'foreign' });
    assert.deepEqual(resolver.known('10.0.0.1:80'), { kind: 'foreign' });
  });

  it('never keeps more than its limit, and gives the endpoints back', async () => {
    const { resolver, asked, endpoints } = setUp(2);
    for (const ip of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) {
      void resolver.resolve(`${ip}:80`);
      resolver.bind(`${ip}:80`, workload(`${ip}:80`));
    }
    assert.equal(resolver.size, 2);
    assert.equal(endpoints.size, 2);
    assert.ok(asked.includes('-10.0.0.1:80'));
  });

  it('gives back what nobody used for ten minutes', () => {
    const { resolver, clock, asked } = setUp();
    void resolver.resolve('10.0.0.1:80');
    resolver.bind('10.0.0.1:80', workload('10.0.0.1:80'));
    clock.advance(601_000);
    resolver.sweep();
    assert.equal(resolver.size, 0);
    assert.ok(asked.includes('-10.0.0.1:80'));
  });
});

describe('bindings of the node', () => {
  function setUpBindings(lastGood: [string, AddressState][] = []) {
    const watched = new Map<string, (state: AddressState | undefined) => void>();
    const sent: string[] = [];
    const bindings = new Bindings(
      {
        watchAddress: (address, onState) => {
          watched.set(address, onState);
          return () => watched.delete(address);
        },
      },
      (worker, address, state) => sent.push(`${worker} ${address} ${state.target}`),
      { states: new Map(lastGood), connected: () => false, clock: new FakeClock() },
      () => {},
    );
    return { bindings, watched, sent };
  }

  it('are watched once for all workers and told to each', () => {
    const { bindings, watched, sent } = setUpBindings();
    bindings.watch(0, 'a');
    bindings.watch(1, 'a');
    watched.get('a')?.({ target: 'foreign' });
    assert.deepEqual(sent, ['0 a foreign', '1 a foreign']);
    bindings.unwatch(0, 'a');
    assert.equal(watched.size, 1);
    bindings.unwatch(1, 'a');
    assert.equal(watched.size, 0);
  });

  it('start from the last good state and forget nothing when namerd is silent', () => {
    const { bindings, sent } = setUpBindings([['a', workload('10.0.0.1:80')]]);
    bindings.watch(0, 'a');
    assert.deepEqual(sent, ['0 a workload']);
    assert.equal(bindings.snapshot().length, 1);
  });

  it('take a tombstone as nobody’s address', () => {
    const { bindings, watched, sent } = setUpBindings([['a', workload('10.0.0.1:80')]]);
    bindings.watch(0, 'a');
    watched.get('a')?.(undefined);
    assert.deepEqual(sent, ['0 a workload', '0 a foreign']);
  });

  it('of a worker that died are told to its successor without asking namerd again', () => {
    const { bindings, watched, sent } = setUpBindings();
    bindings.watch(0, 'a');
    watched.get('a')?.({ target: 'foreign' });
    bindings.reset(0);
    bindings.watch(0, 'a');
    assert.deepEqual(sent, ['0 a foreign', '0 a foreign']);
  });
});
