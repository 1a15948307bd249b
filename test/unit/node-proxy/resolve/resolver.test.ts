import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddressState, DEFAULT_SERVICE_SETTINGS, type NameState, type ServiceHttp } from '#api';
import { EndpointTable } from '../../../../node-proxy/balance/index.ts';
import { compileTarget, NameResolver, nameKey, Resolver } from '../../../../node-proxy/resolve/index.ts';
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

describe('a worker resolving names', () => {
  function setUpNames() {
    const clock = new FakeClock();
    clock.advance(1);
    const events: string[] = [];
    const names = new NameResolver<{ compiled: string }>({
      clock,
      watch: key => events.push(`+${key}`),
      unwatch: key => events.push(`-${key}`),
      compile: (state, key) => {
        if (state.state === 'failed' && state.message === 'too much') throw new Error('too much');
        events.push(`compile ${state.state}`);
        return { compiled: `${key} ${state.state}` };
      },
      release: ({ compiled }) => events.push(`release ${compiled}`),
      timeoutMs: 5_000,
      limit: 2,
      idleMs: 600_000,
    });
    return { clock, names, events };
  }
  const FAILED: NameState = { state: 'failed', message: 'x' };
  const NEGATIVE: NameState = { state: 'bound', tree: { type: 'neg' } };

  it('compiles each state once, and gives the one before back after that', async () => {
    const { names, events } = setUpNames();
    const key = nameKey('/svc/a');
    const answer = names.resolve(key);
    names.bind(key, FAILED);
    const first = await answer;
    assert.deepEqual(first, { compiled: '/svc/a failed' });
    assert.equal(names.known(key), first);
    names.bind(key, NEGATIVE);
    assert.deepEqual(names.known(key), { compiled: '/svc/a bound' });
    assert.deepEqual(events, ['+/svc/a', 'compile failed', 'compile bound', 'release /svc/a failed']);
  });

  it('keeps what it had when a state can not be compiled', () => {
    const { names } = setUpNames();
    void names.resolve('/svc/a');
    names.bind('/svc/a', NEGATIVE);
    assert.throws(() => names.bind('/svc/a', { state: 'failed', message: 'too much' }), /too much/);
    assert.deepEqual(names.known('/svc/a'), { compiled: '/svc/a bound' });
  });

  it('tells a name with a dtab from the same name without, and forgets the one used least', () => {
    const { names, events } = setUpNames();
    for (const dtab of ['', '/svc=>/b', '/svc=>/c']) {
      const key = nameKey('/svc/a', dtab);
      void names.resolve(key);
      names.bind(key, NEGATIVE);
    }
    assert.equal(names.size, 2);
    assert.equal(names.known('/svc/a'), undefined);
    assert.ok(events.includes('release /svc/a bound') && events.includes('-/svc/a'));
  });
});

describe('a service that asks for HTTP', () => {
  const http: ServiceHttp = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS };
  const service = (bound: NameState): AddressState => ({
    target: 'service',
    namespace: 'shop',
    service: 'c',
    port: 'http',
    name: '/svc/shop/c/http',
    appProtocol: '',
    bound,
    http,
  });

  it('is a target with its policy and the state that it is bound to', () => {
    const bound: NameState = { state: 'bound', tree: { type: 'neg' } };
    const target = compileTarget(service(bound), new EndpointTable(() => 0));
    assert.ok(target.kind === 'service');
    assert.deepEqual([target.http, target.bound, target.name], [http, bound, '/svc/shop/c/http']);
  });

  it('is one also when its own name can not be bound: routes may lead elsewhere', () => {
    const bound: NameState = { state: 'failed', message: 'x' };
    const table = new EndpointTable(() => 0);
    const target = compileTarget(service(bound), table);
    assert.ok(target.kind === 'service');
    assert.deepEqual(target.picker.pick(Math.random), { weight: 1, none: 'binding_failed' });
    const { http: _, ...without } = service(bound) as Extract<AddressState, { target: 'service' }>;
    assert.equal(compileTarget(without, table).kind, 'refused');
  });
});
