import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressState, NameState, Replica, WatchKind } from '#api';
import { type BoundState, NodeBindings } from '../../../../node-proxy/resolve/node-bindings.ts';
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

interface Live {
  state(state: object | undefined): void;
  refuse(message: string): void;
}

/** What namerd is asked, and how a test answers it. */
class Source {
  readonly watched = new Map<string, Live>();

  watch(
    kind: WatchKind,
    key: string,
    onState: (state: never, version: string) => void,
    more: { onRefused?: (error: { code: string; message: string }) => void } = {},
  ): () => void {
    const id = `${kind} ${key}`;
    this.watched.set(id, {
      state: state => onState(state as never, ''),
      refuse: message => more.onRefused?.({ code: 'NM_X', message }),
    });
    return () => this.watched.delete(id);
  }
}

function nodeBindings(
  stored: { addresses?: [string, AddressState][]; names?: [string, NameState][] } = {},
  connected = false,
) {
  const clock = new FakeClock();
  const sent: (BoundState & { worker: string })[] = [];
  const source = new Source();
  const bindings = new NodeBindings({
    client: source,
    send: (worker, bound) => sent.push({ worker, ...bound }),
    stored: { addresses: [], names: [], ...stored },
    connected: () => connected,
    clock,
    onChange: () => {},
  });
  const told = () => sent.map(({ worker, key, state }) => `${worker} ${key} ${JSON.stringify(state)}`);
  return { bindings, clock, sent, source, told };
}

function bindingsOf(stored: AddressState, connected: boolean) {
  const { bindings, clock, sent, source } = nodeBindings({ addresses: [[ADDRESS, stored]] }, connected);
  bindings.watch('tunnel-0', 'address', ADDRESS);
  const live = (state: AddressState | undefined) => source.watched.get(`address ${ADDRESS}`)?.state(state);
  return { bindings, clock, states: () => sent.map(({ state }) => state), live };
}

describe('stored bindings', () => {
  it('are used at once while namerd is away', () => {
    assert.deepEqual(bindingsOf(workload(), false).states(), [workload()]);
  });

  it('wait for the live answer while namerd is connected, and are not used after it', () => {
    const { states, live, clock } = bindingsOf(workload(), true);
    assert.deepEqual(states(), []);
    live(undefined);
    clock.advance(1_000);
    assert.deepEqual(states(), [{ target: 'foreign' }]);
  });

  it('are used after half a second without an answer', () => {
    const { states, clock } = bindingsOf(workload(), true);
    clock.advance(499);
    assert.deepEqual(states(), []);
    clock.advance(1);
    assert.deepEqual(states(), [workload()]);
  });

  it('end with the last worker that asks', () => {
    const { bindings, states, clock } = bindingsOf(workload(), true);
    bindings.unwatch('tunnel-0', 'address', ADDRESS);
    clock.advance(1_000);
    assert.deepEqual(states(), []);
    assert.equal(clock.timers, 0);
  });

  it('are never used when they could send plaintext to somebody in the mesh', () => {
    assert.deepEqual(bindingsOf(workload({ hbone: false }), false).states(), []);
    assert.deepEqual(bindingsOf(service(replica(), replica({ hbone: false })), false).states(), []);
    const harmless = [workload({ hbone: false, identity: '' }), service(replica()), service()];
    for (const state of harmless) assert.deepEqual(bindingsOf(state, false).states(), [state]);
  });
});

describe('bindings of the node', () => {
  const FOREIGN = '{"target":"foreign"}';

  it('are watched once for all workers and told to each', () => {
    const { bindings, source, told } = nodeBindings();
    bindings.watch('tunnel-0', 'address', 'a');
    bindings.watch('policy-0', 'address', 'a');
    source.watched.get('address a')?.state({ target: 'foreign' });
    assert.deepEqual(told(), [`tunnel-0 a ${FOREIGN}`, `policy-0 a ${FOREIGN}`]);
    bindings.unwatch('tunnel-0', 'address', 'a');
    assert.equal(source.watched.size, 1);
    bindings.unwatch('policy-0', 'address', 'a');
    assert.equal(source.watched.size, 0);
  });

  it('take a tombstone as nobody’s address, and as a negative name', () => {
    const { bindings, source, told } = nodeBindings();
    bindings.watch('w', 'address', 'a');
    bindings.watch('w', 'name', '/svc/a');
    for (const live of source.watched.values()) live.state(undefined);
    assert.deepEqual(told(), [`w a ${FOREIGN}`, 'w /svc/a {"state":"bound","tree":{"type":"neg"}}']);
  });

  it('say why a name is refused, instead of letting requests wait', () => {
    const { bindings, source, told } = nodeBindings();
    bindings.watch('w', 'name', '/svc/a /x=>');
    source.watched.get('name /svc/a /x=>')?.refuse('no dtab');
    assert.deepEqual(told(), ['w /svc/a /x=> {"state":"failed","message":"no dtab"}']);
  });

  it('of a worker that died are told to its successor without asking namerd again', () => {
    const { bindings, source, told } = nodeBindings();
    bindings.watch('w', 'address', 'a');
    source.watched.get('address a')?.state({ target: 'foreign' });
    bindings.reset('w');
    bindings.watch('w', 'address', 'a');
    assert.deepEqual(told(), [`w a ${FOREIGN}`, `w a ${FOREIGN}`]);
    assert.equal(source.watched.size, 1);
  });

  it('keep addresses and names apart, also when they look the same', () => {
    const { bindings, source } = nodeBindings();
    bindings.watch('w', 'address', 'k');
    bindings.watch('w', 'name', 'k');
    assert.deepEqual([...source.watched.keys()], ['address k', 'name k']);
    assert.deepEqual(bindings.size, { address: 1, name: 1 });
  });

  it('are remembered for the disk, but for plaintext into the mesh, failures, and one request’s dtab', () => {
    const { bindings, source } = nodeBindings();
    const leaf = (hbone: boolean): NameState => ({
      state: 'bound',
      tree: {
        type: 'leaf',
        id: '/c',
        residual: '/',
        replicas: { state: 'bound', replicas: [replica({ hbone })] },
      },
    });
    const names: [string, NameState][] = [
      ['/svc/good', leaf(true)],
      ['/svc/plain', leaf(false)],
      ['/svc/failed', { state: 'failed', message: 'x' }],
      ['/svc/good /svc=>/other', leaf(true)],
    ];
    for (const [key, state] of names) {
      bindings.watch('w', 'name', key);
      source.watched.get(`name ${key}`)?.state(state);
    }
    bindings.watch('w', 'address', 'a');
    source.watched.get('address a')?.state(workload({ hbone: false }));
    assert.deepEqual(bindings.snapshot(), { addresses: [], names: [['/svc/good', leaf(true)]] });
  });

  it('start from the stored name while namerd is away', () => {
    const negative: NameState = { state: 'bound', tree: { type: 'neg' } };
    const { bindings, sent } = nodeBindings({ names: [['/svc/a', negative]] });
    bindings.watch('w', 'name', '/svc/a');
    assert.deepEqual(sent, [{ worker: 'w', kind: 'name', key: '/svc/a', state: negative }]);
  });
});
