/** Policy workers: started when one is or will be needed, apart from each other and from everybody else, and replaced. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Replica } from '#api';
import { HOUR, rootAuthority } from '../../lib/authority.ts';
import { NetnsLab, netnsUnavailable } from '../../lib/netns.ts';
import { echo } from '../node-proxy/rig.ts';
import { ask, ended } from '../tunnel/rig.ts';
import { descriptors, freshAnswer, identityOf, Node, PORT, type Pod } from './node.ts';

const skip = netnsUnavailable();
const SPEAKING = { name: 'speaking', ip: '10.96.0.1' };
const RELAY = { name: 'relay', ip: '10.96.0.2' };
/** Connections go on for so long after a death. */
const AFTERMATH_MS = 500;
/** Longer than a worker's garbage collector takes before it gives up. */
const HUNG_AFTER_MS = 2_500;

describe('policy workers', { skip }, () => {
  let lab: NetnsLab;
  let n1: Node;
  let n2: Node;
  /** On n1: a, b, and s whose namespace has a worker of its own. On n2: c. x is in no mesh. */
  let [a, b, s, c, x] = [] as unknown as [Pod, Pod, Pod, Pod, Pod];

  before(async () => {
    lab = await NetnsLab.open();
    const wire = await lab.namespace('wire');
    await lab.bridge(wire, 'br0', ['10.6.0.1/24']);
    const pods: Pod[] = [];
    for (const [i, name] of ['a', 'b', 's', 'c', 'x'].entries()) {
      const ns = await lab.namespace(name);
      const ip = `10.6.0.${i + 2}`;
      await lab.attach(ns, wire, 'br0', [`${ip}/24`]);
      await ns.listen('0.0.0.0', PORT, echo(name));
      pods.push({ name, namespace: name === 's' ? 'alone' : 'shop', ns, ip });
    }
    [a, b, s, c, x] = pods as [Pod, Pod, Pod, Pod, Pod];
    const authority = await rootAuthority({ from: Date.now() - HOUR, to: Date.now() + 10 * HOUR });
    const policyEntry = new URL('./speaking-thread.ts', import.meta.url);
    n1 = new Node({
      tunnelWorkers: 2,
      authority,
      isolated: ['alone'],
      policyEntry,
      hungAfterMs: HUNG_AFTER_MS,
    });
    n2 = new Node({ tunnelWorkers: 1, authority, policyEntry });
    for (const node of [n1, n2]) {
      node.httpService('speaking', SPEAKING.ip, replica(x));
      node.httpService('relay', RELAY.ip, replica(x));
      node.bindings.set(`${c.ip}:${PORT}`, { target: 'workload', replica: replica(c, true) });
    }
    for (const pod of [a, b, s]) await n1.enrol(pod);
    await n2.enrol(c);
  });

  after(async () => {
    await n1?.pool.close();
    await n2?.pool.close();
    await lab?.close();
  });

  const replica = (pod: Pod, hbone = false): Replica => ({
    address: `${pod.ip}:${PORT}`,
    workload: `shop/${pod.name}`,
    node: hbone ? 'n2' : '',
    identity: hbone ? identityOf(pod) : '',
    hbone,
    zone: '',
    weight: 1,
    terminating: false,
  });
  const namesOf = async (node: Node) => Object.keys(await node.reports());

  test('none runs while nobody asks for HTTP', async () => {
    assert.equal(await freshAnswer(a, x), `x ${a.ip} new`);
    assert.equal(await freshAnswer(a, c), `c ${a.ip} new`);
    assert.deepEqual(await namesOf(n1), ['tunnel-0', 'tunnel-1']);
    assert.deepEqual(await namesOf(n2), ['tunnel-0']);
  });

  test('the first connection starts one, and is served by it; its namespace decides by which', async t => {
    const start = performance.now();
    assert.equal(await freshAnswer(a, SPEAKING, 80), 'policy-0 from a new');
    const cold = performance.now() - start;
    assert.equal(await freshAnswer(b, SPEAKING, 80), 'policy-0 from b new');
    assert.deepEqual(await namesOf(n1), ['tunnel-0', 'tunnel-1', 'policy-0']);
    assert.equal(await freshAnswer(s, SPEAKING, 80), 'policy/alone from s new');
    assert.deepEqual(await namesOf(n1), ['tunnel-0', 'tunnel-1', 'policy-0', 'policy/alone']);
    const warm = performance.now();
    assert.equal(await freshAnswer(a, SPEAKING, 80), 'policy-0 from a new');
    const took = performance.now() - warm;
    t.diagnostic(`first answer after ${cold.toFixed(0)} ms, later ${took.toFixed(1)} ms`);
    assert.deepEqual(await namesOf(n2), ['tunnel-0']);
  });

  test('what is carried as bytes after all is counted where it is carried', async () => {
    const socket = await a.ns.connect(RELAY.ip, 80);
    assert.equal(await ask(socket, 'through'), `x ${a.ip} through`);
    const { 'policy-0': policy, 'tunnel-0': first, 'tunnel-1': second } = await n1.reports();
    assert.equal(policy?.openConnections, 1);
    assert.equal((first?.openConnections ?? 0) + (second?.openConnections ?? 0), 0);
    assert.equal((first?.handedOver.total ?? 0) + (second?.handedOver.total ?? 0), 5);
    socket.destroy();
  });

  test('names are bound for those who ask, and stay known', async () => {
    n1.names.set('/svc/shop/x', { state: 'bound', tree: { type: 'neg' } });
    const socket = await a.ns.connect(SPEAKING.ip, 80);
    for (const [name, state] of [
      ['/svc/shop/x', '{"state":"bound","tree":{"type":"neg"}}'],
      ['/svc/shop/y', '{"state":"failed","message":"unknown"}'],
      ['/svc/shop/x', '{"state":"bound","tree":{"type":"neg"}}'],
    ])
      assert.equal(await ask(socket, `bind ${name}`), `${name} is ${state}`);
    assert.deepEqual((await n1.reports())['policy-0']?.names.sort(), ['/svc/shop/x', '/svc/shop/y']);
    socket.destroy();
  });

  test('a pod that asks for HTTP gets its callers there: by plaintext and by tunnels, which come anew', async () => {
    const kept = await a.ns.connect(c.ip, PORT);
    assert.equal(await ask(kept, 'bytes'), `c ${a.ip} bytes`);
    c.http = { ports: {}, forwardClientIdentity: false, concurrentRequests: 0 };
    assert.equal('policy-0' in (await n2.reports()), false);
    n2.announce();
    assert.equal('policy-0' in (await n2.reports()), true, 'before anybody calls');
    await settles(async () => freshAnswer(a, c), 'policy-0 to c new');
    assert.equal(await freshAnswer(x, c), 'policy-0 to c new');
    assert.equal(await ask(kept, 'still bytes'), `c ${a.ip} still bytes`);
    const { 'policy-0': policy, 'tunnel-0': tunnel } = await n2.reports();
    assert.equal(policy?.pods[0]?.tunnels.inbound, 1);
    assert.equal(tunnel?.pods[0]?.tunnels.inbound, 1, 'the tunnel of the old connection');
    delete c.http;
    n2.announce();
    await settles(async () => freshAnswer(a, c), `c ${a.ip} new`);
    kept.destroy();
  });

  for (const [what, word] of [
    ['outgrows its memory', 'die'],
    ['hangs', 'hang'],
  ] as const)
    test(`one that ${what} takes nobody with it, and no new connection is lost`, async t => {
      const others = [await a.ns.connect(x.ip, PORT), await a.ns.connect(c.ip, PORT)];
      const alone = await s.ns.connect(SPEAKING.ip, 80);
      const lost = await a.ns.connect(SPEAKING.ip, 80);
      for (const socket of [...others, alone, lost]) await ask(socket, 'before');
      const end = ended(lost);
      const deaths = n1.resets.length;
      const before = await n1.restarts();
      assert.equal(await ask(lost, word), `policy-0 from a ${word}`);
      const answers: Promise<string>[] = [];
      let diedMs = 0;
      let slowest = 0;
      const timed = async (answer: Promise<string>) => {
        const start = performance.now();
        const text = await answer;
        slowest = Math.max(slowest, performance.now() - start);
        return text;
      };
      while (diedMs === 0 || performance.now() - diedMs < AFTERMATH_MS) {
        answers.push(timed(freshAnswer(a, SPEAKING, 80)), freshAnswer(b, RELAY, 80));
        answers.push(freshAnswer(a, x), freshAnswer(s, SPEAKING, 80), freshAnswer(b, c));
        if (n1.resets.length > deaths && diedMs === 0) diedMs = performance.now();
        await new Promise(resolve => setTimeout(resolve, 10));
      }
      const expected = /^(x|c) 10\.6\.0\.\d new$|^policy-0 from a new$|^policy\/alone from s new$/;
      const seen = await Promise.all(answers);
      assert.deepEqual(
        seen.filter(answer => !expected.test(answer)),
        [],
        `of ${seen.length}`,
      );
      await end;
      assert.deepEqual(n1.resets.slice(deaths), ['policy-0']);
      const restarts = (await n1.restarts()).map((count, i) => count - (before[i] ?? 0));
      assert.deepEqual(restarts, [0, 0, 1, 0]);
      assert.equal(await ask(others[0] as Socket, 'after'), `x ${a.ip} after`);
      assert.equal(await ask(others[1] as Socket, 'after'), `c ${a.ip} after`);
      assert.equal(await ask(alone, 'after'), 'policy/alone from s after');
      t.diagnostic(`${seen.length} connections, none lost; the slowest answer took ${slowest.toFixed(0)} ms`);
      for (const socket of [...others, alone]) socket.destroy();
    });

  test('a tunnel worker that dies leaves what it handed over, and its successor finds the way', async () => {
    const kept = [await a.ns.connect(SPEAKING.ip, 80), await b.ns.connect(SPEAKING.ip, 80)];
    for (const socket of kept) await ask(socket, 'before');
    for (const worker of ['tunnel-0', 'tunnel-1']) await n1.kill(worker);
    assert.equal(await ask(kept[0] as Socket, 'after'), 'policy-0 from a after');
    assert.equal(await ask(kept[1] as Socket, 'after'), 'policy-0 from b after');
    assert.equal(await freshAnswer(a, SPEAKING, 80), 'policy-0 from a new');
    assert.equal(await freshAnswer(b, SPEAKING, 80), 'policy-0 from b new');
    for (const socket of kept) socket.destroy();
  });

  test('deaths leave no descriptors behind', async () => {
    let first = 0;
    for (let i = 0; i < 2; i++) {
      await n1.kill('policy-0');
      assert.equal(await freshAnswer(a, SPEAKING, 80), 'policy-0 from a new');
      if (i === 0) first = await descriptors();
    }
    const now = await descriptors();
    assert.ok(now <= first, `${now} descriptors, ${first} before`);
  });

  test('a pod that leaves keeps its grace there too, and then nothing of it is left', async () => {
    const open = await b.ns.connect(RELAY.ip, 80);
    await ask(open, 'before');
    const gone = n1.dismiss(b, 10_000);
    assert.equal(await ask(open, 'in the grace'), `x ${b.ip} in the grace`);
    open.destroy();
    await gone;
    const reports = await n1.reports();
    for (const [name, report] of Object.entries(reports))
      assert.ok(!report?.pods.some(({ workload }) => workload === 'shop/b'), name);
    assert.equal(await freshAnswer(a, SPEAKING, 80), 'policy-0 from a new');
  });

  test('draining lets open connections go on, and closing ends them', async () => {
    const open = await a.ns.connect(RELAY.ip, 80);
    await ask(open, 'before');
    n1.pool.drain();
    assert.equal(await ask(open, 'while draining'), `x ${a.ip} while draining`);
    assert.equal((await n1.reports())['policy-0']?.openConnections, 1);
    const reset = new Promise(resolve => open.once('error', resolve));
    await n1.pool.close();
    assert.match(String(await reset), /ECONNRESET/);
  });
});

/** Asks until the answer is as expected; what was asked is on its way to the workers. */
async function settles(answer: () => Promise<string>, expected: string): Promise<void> {
  const deadline = performance.now() + 3_000;
  for (;;) {
    const seen = await answer();
    if (seen === expected) return;
    assert.ok(performance.now() < deadline, `'${seen}', not '${expected}'`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
