/** The pods of a node as the runtime, commands, the registry and the process before tell of them; real namespaces only. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { NodeState, NodeWorkload } from '#api';
import { silentLog } from '#base/log.ts';
import { Cell } from '#base/watch.ts';
import type { Capture } from '#capture';
import type { Certificates } from '../../../node-proxy/identity/certificates.ts';
import { closeFd } from '../../../node-proxy/kernel/index.ts';
import type { PodRecord } from '../../../node-proxy/pods/pod-records.ts';
import { PodSet } from '../../../node-proxy/pods/pod-set.ts';
import type { PodFds } from '../../../node-proxy/workers/messages.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { NetnsLab, netnsUnavailable, run, type TestNetns } from '../../lib/netns.ts';

const known = (name: string, more: Partial<NodeWorkload> = {}): NodeWorkload =>
  ({
    workload: `shop/${name}`,
    identity: `spiffe://mesh.test/ns/shop/sa/${name}`,
    addresses: [`10.0.0.${name.charCodeAt(0)}`],
    mesh: 'unset',
    policies: [],
    transport: { mode: 'permissive', ports: {} },
    ...more,
  }) as NodeWorkload;

class World {
  readonly events: string[] = [];
  readonly reports: string[][] = [];
  readonly clock = new FakeClock();
  readonly nodeState = new Cell<NodeState | undefined>(undefined);
  /** What a certificate waits for, and whether it comes. */
  certificate: () => Promise<void> = async () => {};
  removal: () => Promise<void> = async () => {};
  saved: readonly PodRecord[] = [];
  readonly set: PodSet;

  constructor(...workloads: NodeWorkload[]) {
    this.knows(...workloads);
    const { events } = this;
    this.set = new PodSet({
      config: { namespaces: ['shop'], excludedNamespaces: [] },
      nodeState: this.nodeState,
      workloadTimeoutMs: 100,
      leaveGraceMs: 0,
      log: silentLog,
      save: async records => {
        this.saved = records;
      },
      report: async workloads => {
        events.push(`report ${workloads.join()}`);
        this.reports.push([...workloads]);
      },
      parts: {
        clock: this.clock,
        log: silentLog,
        certificateTimeoutMs: 1,
        captureOptions: () => ({}),
        namerdAway: () => false,
        certificates: {
          hold: (identity: string) => events.push(`hold ${identity.split('/').at(-1)}`),
          release: (identity: string) => events.push(`release ${identity.split('/').at(-1)}`),
          ready: () => this.certificate(),
        } as unknown as Certificates,
        workers: {
          setPods: () => {},
          serve: async (_: string, fds: PodFds) => Object.values(fds).forEach(closeFd),
          unserve: async () => void events.push('unserve'),
        },
        capture: {
          apply: async () => void events.push('capture'),
          remove: async (_: string, { keepReturnPath = false } = {}) => {
            await this.removal();
            events.push(keepReturnPath ? 'stop capture' : 'clean');
          },
        } as unknown as Capture,
      },
    });
  }

  knows(...workloads: NodeWorkload[]): void {
    this.nodeState.set({ workloads, policies: [] } as unknown as NodeState);
  }

  /** Each pod: name, state, identity. */
  get pods(): string[] {
    return this.set
      .list()
      .map(({ workload, state }) =>
        'who' in state && state.who !== undefined
          ? `${workload} ${state.is} as ${state.who.identity.split('/').at(-1)}`
          : `${workload} ${state.is}`,
      );
  }

  async settled(wanted: string[]): Promise<void> {
    for (let i = 0; i < 1_000 && this.pods.join() !== wanted.join(); i++) await turn();
    assert.deepEqual(this.pods, wanted);
  }
}

describe('the pods of a node', { skip: netnsUnavailable() }, () => {
  let lab: NetnsLab;
  let n1: TestNetns;
  let n2: TestNetns;
  let world: World;
  const worlds: World[] = [];
  const make = (...workloads: NodeWorkload[]) => {
    world = new World(...workloads);
    worlds.push(world);
    return world.set;
  };
  const request = (ns: TestNetns, name: string, more = {}) => ({
    netns: ns.path,
    workload: name === '' ? '' : `shop/${name}`,
    ips: [],
    containerId: `c-${name}`,
    ...more,
  });
  const record = (ns: TestNetns, name: string): PodRecord => ({
    id: ns.handle.id,
    ...request(ns, name),
    forced: undefined,
    captured: true,
  });

  beforeEach(async () => {
    lab = await NetnsLab.open();
    [n1, n2] = [await lab.namespace('p1'), await lab.namespace('p2')];
  });
  afterEach(async () => {
    for (const { set } of worlds.splice(0)) {
      set.close();
      for (const pod of set.list()) pod.close();
    }
    await lab.close();
  });

  test('nothing is reported before all pods of the process before are taken over', async () => {
    const set = make(known('a'), known('b'));
    const last = Promise.withResolvers<void>();
    let asked = 0;
    world.certificate = () => (asked++ === 0 ? Promise.resolve() : last.promise);
    const restored = set.restore([record(n1, 'a'), record(n2, 'b')]);
    await world.settled(['shop/a inside as a', 'shop/b joining']);
    assert.deepEqual(world.reports, []);
    last.resolve();
    await restored;
    assert.deepEqual(world.reports, [['shop/a', 'shop/b']]);
  });

  test('a pod that was captured and is not served yet is reported, and taken in later', async () => {
    const set = make();
    const restored = set.restore([record(n1, 'a')]);
    await restored;
    assert.deepEqual(world.reports, [['shop/a']]);
    assert.deepEqual(world.pods, ['shop/a outside']);
    world.knows(known('a'));
    await world.settled(['shop/a inside as a']);
  });

  test('a namespace in the mesh as one workload is not taken in as another, unless it is out', async () => {
    const set = make(known('a'), known('b'));
    await set.add(request(n1, 'a'));
    await assert.rejects(set.add(request(n1, 'b')), { code: 'NM_POD_IS_ANOTHER' });
    await set.force(request(n1, 'a'), 'out');
    await set.force(request(n1, 'b'), 'in');
    assert.deepEqual(world.pods, ['shop/b inside as b']);
  });

  test('a command that failed does not come true later', async () => {
    const set = make(known('a'));
    await set.force(request(n1, 'a'), 'in');
    await set.force(request(n1, 'a'), 'out');
    await assert.rejects(set.force(request(n1, 'late'), 'in'), { code: 'NM_UNKNOWN_WORKLOAD' });
    assert.deepEqual(world.pods, ['shop/a outside']);
    world.knows(known('a'), known('late'));
    world.clock.advance(60_000);
    for (let i = 0; i < 20; i++) await turn();
    assert.deepEqual(world.pods, ['shop/a outside']);
    assert.equal(set.list()[0]?.forced, 'out');
  });

  test('who asks before the registry knows the pod waits for it', async () => {
    const set = make();
    const added = set.add({ ...request(n1, 'd'), workload: 'other/d' });
    await turn();
    world.knows(known('d', { workload: 'other/d', mesh: 'enabled' }));
    assert.equal((await added).enrolled, true);
  });

  test("the runtime's label decides when the registry stays silent", async () => {
    const set = make();
    const other = { workload: 'other/d' };
    const enabled = set.add({ ...request(n1, 'd'), ...other, label: 'enabled' });
    await assert.rejects(enabled, { code: 'NM_UNKNOWN_WORKLOAD' });
    assert.deepEqual(world.pods, [], 'the runtime deletes it');
    const unset = await set.add({ ...request(n1, 'd'), ...other, label: 'unset' });
    assert.deepEqual(unset, { enrolled: false, because: 'not asked for' });
  });

  test('a pod without a name gets it when the registry knows its address', async () => {
    const set = make();
    const answer = await set.add({ ...request(n1, ''), ips: ['10.0.0.97'] });
    assert.equal(answer.enrolled, false);
    world.knows(known('a'));
    await world.settled(['shop/a inside as a']);
  });

  test('leaving: capture stops, peers hear, connections end, what is left is cleaned', async () => {
    const set = make(known('a'));
    await set.restore([]);
    await set.add(request(n1, 'a'));
    world.events.length = 0;
    await set.force(request(n1, 'a'), 'out');
    assert.deepEqual(world.events, ['stop capture', 'report ', 'unserve', 'clean', 'release a']);
    assert.deepEqual(world.pods, ['shop/a outside']);
  });

  test('a pod that can not leave is not reported as gone', async () => {
    const set = make(known('a'));
    await set.restore([]);
    await set.add(request(n1, 'a'));
    world.removal = () => Promise.reject(new Error('iptables is away'));
    await assert.rejects(set.force(request(n1, 'a'), 'out'), { code: 'NM_UNENROL_FAILED' });
    assert.deepEqual(world.reports.at(-1), ['shop/a']);
    world.removal = async () => {};
    world.clock.advance(1_000);
    await world.settled(['shop/a outside']);
  });

  test('what failed is tried again after a while, and when namerd is back; a refused ADD is not', async () => {
    const set = make(known('a'), known('b'));
    world.certificate = () => Promise.reject(new Error('namerd is away'));
    await assert.rejects(set.add(request(n2, 'b')), { code: 'NM_ENROLMENT_FAILED' });
    await set.restore([{ ...record(n1, 'a'), captured: false }]);
    assert.deepEqual(world.pods, ['shop/a outside']);
    world.clock.advance(1_000);
    await world.settled(['shop/a outside']);
    world.certificate = async () => {};
    set.retry();
    await world.settled(['shop/a inside as a']);
  });

  test('a deleted pod is reported, and found by its container first', async () => {
    const set = make(known('a'), known('b'));
    await set.restore([]);
    await set.add(request(n1, 'a'));
    await set.add(request(n2, 'b'));
    await set.remove({ containerId: 'c-of-somebody-else', netns: n1.path });
    assert.equal(set.list().length, 2);
    await set.remove({ containerId: 'c-b', netns: n1.path });
    assert.deepEqual(world.pods, ['shop/a inside as a']);
    assert.deepEqual(world.reports.at(-1), ['shop/a']);
    assert.deepEqual(
      world.saved.map(({ workload }) => workload),
      ['shop/a'],
    );
  });

  test('a new namespace under the path of a vanished one ends the vanished one', async () => {
    const set = make(known('a'), known('b'));
    await set.add(request(n1, 'a'));
    await run('ip', ['netns', 'delete', n1.name]);
    await run('ip', ['netns', 'add', n1.name]);
    await set.add(request(n1, 'b'));
    await world.settled(['shop/b inside as b']);
  });

  test('a changed service account is taken on without an uncaptured moment; changed addresses are announced', async () => {
    const set = make(known('a'));
    await set.add(request(n1, 'a'));
    world.events.length = 0;
    const identity = 'spiffe://mesh.test/ns/shop/sa/other';
    world.knows(known('a', { identity, addresses: ['10.0.0.7'] }));
    await world.settled(['shop/a inside as other']);
    assert.ok(!world.events.includes('stop capture') && !world.events.includes('clean'));
    assert.ok(world.events.includes('release a'));
    assert.deepEqual(set.specs()[0]?.who.ips, ['10.0.0.7']);
  });

  test('who is replaced takes no pods, and says nothing more', async () => {
    const set = make(known('a'));
    await set.restore([]);
    set.freeze();
    world.events.length = 0;
    await assert.rejects(set.add(request(n1, 'a')), { code: 'NM_NOT_READY' });
    assert.deepEqual(world.events, []);
  });
});
