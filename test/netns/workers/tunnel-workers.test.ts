/** A tunnel worker dies with its connections; its pods are listened for again and nobody else notices. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { openPodSockets } from '../../../node-proxy/pods/pod-sockets.ts';
import { HOUR, rootAuthority } from '../../lib/authority.ts';
import { NetnsLab, netnsUnavailable } from '../../lib/netns.ts';
import { echo } from '../node-proxy/rig.ts';
import { ask, ended } from '../tunnel/rig.ts';
import { descriptors, freshAnswer, identityOf, Node, PORT, type Pod } from './node.ts';

const skip = netnsUnavailable();
/** New connections go on for so long after the death. */
const AFTERMATH_MS = 500;

let lab: NetnsLab;
let n1: Node;
let n2: Node;
let [a, b, c, x]: Pod[] = [];

before(async () => {
  if (skip !== false) return;
  lab = await NetnsLab.open();
  const wire = await lab.namespace('wire');
  await lab.bridge(wire, 'br0', ['10.6.0.1/24']);
  const pods: Pod[] = [];
  for (const [i, name] of ['a', 'b', 'c', 'x'].entries()) {
    const ns = await lab.namespace(name);
    const ip = `10.6.0.${i + 2}`;
    await lab.attach(ns, wire, 'br0', [`${ip}/24`]);
    await ns.listen('0.0.0.0', PORT, echo(name));
    pods.push({ name, namespace: 'shop', ns, ip });
  }
  [a, b, c, x] = pods;
  const authority = await rootAuthority({ from: Date.now() - HOUR, to: Date.now() + 10 * HOUR });
  n1 = new Node({ tunnelWorkers: 2, authority });
  n2 = new Node({ tunnelWorkers: 1, authority });
  await n1.enrol(a as Pod);
  await n1.enrol(b as Pod);
  await n2.enrol(c as Pod);
  const replica = {
    address: `${c?.ip}:${PORT}`,
    workload: 'shop/c',
    node: 'n2',
    identity: identityOf(c as Pod),
    hbone: true,
    zone: '',
    weight: 1,
    terminating: false,
  };
  n1.bindings.set(replica.address, { target: 'workload', replica });
});

after(async () => {
  await n1?.pool.close();
  await n2?.pool.close();
  await lab?.close();
});

test('a worker that outgrows its memory is replaced and no new connection is refused', { skip }, async () => {
  assert.ok(a && b && c && x);
  const lost = await a.ns.connect(x.ip, PORT);
  const kept = await b.ns.connect(x.ip, PORT);
  const keptTunnel = await b.ns.connect(c.ip, PORT);
  for (const socket of [lost, kept, keptTunnel]) await ask(socket, 'before');
  const end = ended(lost);
  const dying = n1.kill('tunnel-0');
  let dead = false;
  void dying.then(() => {
    dead = true;
  });
  // All the while new connections come: from the pod, to the pod, and through a tunnel.
  const answers: Promise<string>[] = [];
  let diedMs = 0;
  while (diedMs === 0 || performance.now() - diedMs < AFTERMATH_MS) {
    answers.push(freshAnswer(a, x), freshAnswer(x, a), freshAnswer(a, c));
    if (dead && diedMs === 0) diedMs = performance.now();
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  const seen = await Promise.all(answers);
  assert.deepEqual(
    seen.filter(answer => !/^[axc] 10\.6\.0\.\d new$/.test(answer)),
    [],
    `of ${seen.length} new connections`,
  );
  await end;
  assert.deepEqual(await n1.restarts(), [1, 0]);
  assert.equal(await ask(kept, 'after'), `x ${b.ip} after`);
  assert.equal(await ask(keptTunnel, 'after'), `c ${b.ip} after`);
});

test('nothing is left behind by workers that die', { skip }, async () => {
  assert.ok(a && x);
  const restarts = (await n1.restarts())[0] ?? 0;
  let before = 0;
  for (let i = 1; i <= 2; i++) {
    await n1.kill('tunnel-0');
    assert.match(await freshAnswer(a, x), /^x /);
    assert.deepEqual(await n1.restarts(), [restarts + i, 0]);
    if (i === 1) before = await descriptors();
  }
  const now = await descriptors();
  assert.ok(now <= before, `${now} descriptors, ${before} before`);
});

test('a pod that is taken in while its worker is dead is served by the next one', { skip }, async () => {
  assert.ok(a && x);
  const id = a.ns.handle.id;
  await n1.pool.unserve(id, 0);
  const before = readdirSync('/proc/self/fd').length;
  await n1.kill('tunnel-0');
  await n1.pool.serve(id, openPodSockets(a.ns.handle));
  assert.match(await freshAnswer(a, x), /^x /);
  await n1.pool.unserve(id, 0);
  const socket = await a.ns.connect('127.0.0.1', 15001).catch(error => error as Error);
  assert.ok(socket instanceof Error, 'somebody still listens in a pod that nobody serves');
  const left = readdirSync('/proc/self/fd').length;
  assert.ok(left <= before, `${left} descriptors, ${before} before`);
});
