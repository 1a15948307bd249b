import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Capture, captureRules } from '#capture';
import { nftGeneration } from '../../../node-proxy/kernel/index.ts';
import { readGeneration } from '../../../node-proxy/kernel/nft-generation.ts';
import { NetnsLab, netnsUnavailable, run, type TestNetns } from '../../lib/netns.ts';

describe('the generation of nftables', { skip: netnsUnavailable() }, () => {
  let lab: NetnsLab;
  let pod: TestNetns;
  let other: TestNetns;
  before(async () => {
    lab = await NetnsLab.open();
    [pod, other] = [await lab.namespace('pod'), await lab.namespace('other')];
  });
  after(() => lab.close());

  test('changes with the rules of this namespace, not of another, and not by looking', async t => {
    const capture = await Capture.detect();
    const first = nftGeneration(pod.handle);
    if (first === undefined || capture.iptables.flavour !== 'nft') return t.skip('no nftables here');
    const rules = captureRules({});
    await capture.apply(pod.path, rules);
    const applied = nftGeneration(pod.handle);
    assert.notEqual(applied, first);
    await capture.inspect(pod.path, rules);
    await capture.apply(other.path, rules);
    assert.equal(nftGeneration(pod.handle), applied);
    await run('ip', ['netns', 'exec', pod.name, 'iptables-nft', '-t', 'nat', '-F']);
    assert.notEqual(nftGeneration(pod.handle), applied);
  });

  test('costs microseconds', () => {
    const start = performance.now();
    for (let i = 0; i < 1_000; i++) nftGeneration(pod.handle);
    const eachMs = (performance.now() - start) / 1_000;
    assert.ok(eachMs < 1, `${eachMs} ms`);
  });

  test('an answer that is none is not read as one', () => {
    assert.equal(readGeneration(Buffer.alloc(0)), undefined);
    assert.equal(readGeneration(Buffer.alloc(512)), undefined);
    const endless = Buffer.alloc(64);
    endless.writeUInt32LE(64, 0);
    endless.writeUInt16LE((10 << 8) | 15, 4);
    assert.equal(readGeneration(endless), undefined);
  });
});
