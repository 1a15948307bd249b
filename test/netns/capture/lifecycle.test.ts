import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Capture, CaptureError, captureRules, iptablesOf, PROXY_MARK } from '#capture';
import { setSysctlIn } from '../../../node-proxy/kernel/index.ts';
import { NetnsLab, netnsUnavailable, type TestNetns } from '../../lib/netns.ts';
import { APP_PORT, answerOf, type CapturedPod, capturedPod, echo, FOREIGN, POD } from './captured-pod.ts';

const FLAVOURS = ['nft', 'legacy'] as const;

/** All that could be ours in a namespace, of both flavours. */
async function traces(ns: TestNetns): Promise<string> {
  const script = `
    for f in nft legacy; do iptables-$f-save; ip6tables-$f-save; done
    ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all`;
  const { stdout } = await ns.run('sh', '-c', script);
  return stdout
    .split('\n')
    .filter(line => /NODEMESH|0x111|0x539|15001|15006/.test(line))
    .join('\n');
}

for (const flavour of FLAVOURS)
  describe(`the life of ${flavour} rules`, { skip: netnsUnavailable() }, () => {
    const capture = new Capture(iptablesOf(flavour));
    const [save4, save6, restore4] = [
      `iptables-${flavour}-save`,
      `ip6tables-${flavour}-save`,
      `iptables-${flavour}`,
    ];
    const rules = captureRules({
      probeSources: ['10.0.0.1', 'fd00::1', '10.0.0.0/8'],
      probePorts: [{ from: 8080, to: 8090 }],
      // More than one multiport match can take, with ranges.
      excludedInboundPorts: Array.from({ length: 20 }, (_, i) => ({
        from: 100 * i + 1,
        to: 100 * i + 1 + (i % 2),
      })),
      excludedOutboundPorts: [{ from: 1, to: 65535 }],
      excludedOutboundCidrs: ['10.1.2.3/8', '0.0.0.0/0', '2001:DB8::1/32', '::/0', '::ffff:192.0.2.1'],
    });
    let lab: NetnsLab;
    let damaged: TestNetns;
    before(async () => {
      lab = await NetnsLab.open();
      damaged = await lab.namespace('damaged');
    });
    after(() => lab.close());

    async function saved(ns: TestNetns): Promise<string> {
      const { stdout } = await ns.run('sh', '-c', `${save4}; ${save6}; ip rule; ip -6 rule`);
      // Dates, and counters of built-in chains.
      return stdout.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '');
    }

    test('applied twice is applied once; found complete; removed without a trace', async () => {
      const pod = await lab.namespace('twice');
      assert.equal((await capture.inspect(pod.path, rules)).state, 'missing');
      assert.deepEqual(await capture.apply(pod.path, rules), { changed: true, ipv6: 'on' });
      const once = await saved(pod);
      assert.deepEqual(await capture.apply(pod.path, rules), { changed: false, ipv6: 'on' });
      assert.equal(await saved(pod), once);
      assert.deepEqual(await capture.inspect(pod.path, rules), {
        state: 'complete',
        differences: [],
        ipv6: 'on',
      });
      await capture.remove(pod.path);
      assert.equal(await traces(pod), '');
      await capture.remove(pod.path);
      assert.equal((await capture.inspect(pod.path, rules)).state, 'missing');
    });

    for (const [what, damage, expected] of [
      [
        'a flushed chain',
        `${restore4} -t nat -F NODEMESH_INBOUND`,
        /IPv4: chain nat NODEMESH_INBOUND lacks the rule/,
      ],
      ['a flushed table', `${restore4} -t nat -F`, /0 jumps from nat OUTPUT to NODEMESH_OUTBOUND/],
      [
        'a lost jump',
        `${restore4} -t mangle -D OUTPUT -p tcp -j NODEMESH_RETURN`,
        /0 jumps from mangle OUTPUT/,
      ],
      [
        'a doubled jump',
        `${restore4} -t nat -A OUTPUT -p tcp -j NODEMESH_OUTBOUND`,
        /2 jumps from nat OUTPUT/,
      ],
      [
        'a changed jump',
        `${restore4} -t nat -A OUTPUT -d 1.2.3.4 -j NODEMESH_OUTBOUND`,
        /foreign jump: OUTPUT/,
      ],
      ['an added rule', `${restore4} -t nat -I NODEMESH_OUTBOUND -j RETURN`, /instead of|rule too many/],
      ['a chain of another version', `${restore4} -t nat -N NODEMESH_OLD`, /NODEMESH_OLD is not in use/],
      ['a lost route', 'ip route flush table 15006', /IPv4: ip route local default dev lo .* is missing/],
      ['a lost rule', 'ip -6 rule del pref 100', /IPv6: ip rule .* is missing/],
      [
        'IPv6 flushed wholly',
        `ip6tables-${flavour} -t nat -F; ip6tables-${flavour} -t nat -X`,
        /IPv6: chain nat/,
      ],
    ] as const)
      test(`${what} is noticed and repaired`, async () => {
        await capture.apply(damaged.path, rules);
        const whole = await saved(damaged);
        await damaged.run('sh', '-c', damage);
        const { state, differences } = await capture.inspect(damaged.path, rules);
        assert.equal(state, 'partial');
        assert.match(differences.join('\n'), expected);
        assert.deepEqual(await capture.apply(damaged.path, rules), { changed: true, ipv6: 'on' });
        const sorted = (text: string) => text.split('\n').sort().join('\n');
        assert.equal(sorted(await saved(damaged)), sorted(whole));
      });

    test('what is damaged is removed without a trace as well', async () => {
      const damage = `
        ${restore4} -t nat -F NODEMESH_INBOUND
        ${restore4} -t nat -A OUTPUT -d 1.2.3.4 -j NODEMESH_OUTBOUND
        ${restore4} -t nat -A OUTPUT -p tcp -j NODEMESH_OUTBOUND
        ${restore4} -t mangle -F OUTPUT
        ${restore4} -t nat -N NODEMESH_OLD
        ip route flush table 15006; ip -6 rule del pref 100`;
      await damaged.run('sh', '-c', damage);
      await capture.remove(damaged.path);
      assert.equal(await traces(damaged), '');
    });

    test('other options replace the rules; rules of others stay', async () => {
      const pod = await lab.namespace('change');
      const foreign = '-A OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j ACCEPT';
      await pod.run(restore4, '-t', 'nat', ...foreign.split(' '));
      await capture.apply(pod.path, rules);
      const plain = captureRules();
      assert.equal((await capture.inspect(pod.path, plain)).state, 'partial');
      await capture.apply(pod.path, plain);
      assert.equal((await capture.inspect(pod.path, plain)).state, 'complete');
      const lines = (await saved(pod)).split('\n').filter(line => line.startsWith('-A OUTPUT'));
      const [ours, answers] = [
        '-A OUTPUT -p tcp -j NODEMESH_OUTBOUND',
        '-A OUTPUT -p tcp -j NODEMESH_RETURN',
      ];
      // One of each per family, and before what others have.
      assert.deepEqual(lines.toSorted(), [foreign, ours, ours, answers, answers].toSorted());
      assert(lines.indexOf(ours) < lines.indexOf(foreign));
      await capture.remove(pod.path);
      assert.match(await saved(pod), new RegExp(foreign));
    });

    test('rules of the other flavour are removed too', async () => {
      const pod = await lab.namespace('other');
      const other = new Capture(iptablesOf(flavour === 'nft' ? 'legacy' : 'nft'));
      await other.apply(pod.path, rules);
      await capture.remove(pod.path);
      assert.equal(await traces(pod), '');
    });

    test('IPv6 that is switched off is prepared, and completed when it is on', async () => {
      const pod = await lab.namespace('no6');
      setSysctlIn(pod.handle, 'net.ipv6.conf.all.disable_ipv6', 1);
      assert.deepEqual(await capture.apply(pod.path, rules), { changed: true, ipv6: 'disabled' });
      assert.deepEqual(await capture.inspect(pod.path, rules), {
        state: 'complete',
        differences: [],
        ipv6: 'disabled',
      });
      setSysctlIn(pod.handle, 'net.ipv6.conf.all.disable_ipv6', 0);
      assert.equal((await capture.inspect(pod.path, rules)).state, 'partial');
      assert.deepEqual(await capture.apply(pod.path, rules), { changed: true, ipv6: 'on' });
    });
  });

describe('capture of running pods', { skip: netnsUnavailable() }, () => {
  for (const flavour of FLAVOURS) {
    const capture = new Capture(iptablesOf(flavour));
    for (const family of [4, 6] as const)
      test(`${flavour}, IPv${family}: open connections survive capture and its end`, async () => {
        await using net: CapturedPod = await capturedPod();
        const { pod, foreign } = net;
        const outward = await pod.connect(FOREIGN[family], APP_PORT);
        const inward = await foreign.connect(POD[family], APP_PORT);
        await Promise.all([once(outward, 'data'), once(inward, 'data')]);
        const bothWork = async () => {
          for (const socket of [outward, inward]) assert.equal(await echo(socket, 'still'), 'still');
        };

        await capture.apply(pod.path, captureRules({ sparingOpenConnections: true }));
        await bothWork();
        assert.equal(await answerOf(pod.connect(FOREIGN[family], APP_PORT)), 'outbound');
        assert.equal(await answerOf(foreign.connect(POD[family], APP_PORT)), 'inbound');
        await capture.apply(pod.path, captureRules());
        await bothWork();

        const source = { ip: FOREIGN[family], transparent: true };
        const proxied = await pod.connect(POD[family], APP_PORT, { mark: PROXY_MARK, source });
        await once(proxied, 'data');
        await capture.remove(pod.path, { keepReturnPath: true });
        assert.equal(await answerOf(foreign.connect(POD[family], APP_PORT)), `pod ${FOREIGN[family]}`);
        assert.equal(await echo(proxied, 'drain'), 'drain');
        await bothWork();
        await capture.remove(pod.path);
        await bothWork();
        assert.equal(await traces(pod), '');
      });
  }

  test('a proxy that is gone means refused, not unprotected', async () => {
    await using lab = await NetnsLab.open();
    const node = await lab.namespace('node');
    const pod = await lab.namespace('pod');
    await lab.bridge(node, 'br0', ['10.9.0.1/24']);
    await lab.attach(pod, node, 'br0', ['10.9.0.2/24']);
    await pod.listen('0.0.0.0', APP_PORT, socket => socket.end());
    await node.listen('0.0.0.0', APP_PORT, socket => socket.end());
    await new Capture(iptablesOf('nft')).apply(pod.path, captureRules());
    await assert.rejects(node.connect('10.9.0.2', APP_PORT), { code: 'ECONNREFUSED' });
    await assert.rejects(pod.connect('10.9.0.1', APP_PORT), { code: 'ECONNREFUSED' });
  });
});

describe('capture that can not be', { skip: netnsUnavailable() }, () => {
  test('both flavours are found, and the override decides', async () => {
    for (const flavour of FLAVOURS) {
      const { iptables } = await Capture.detect({ NODEMESH_IPTABLES: flavour });
      assert.deepEqual(iptables, iptablesOf(flavour));
    }
    assert.match((await Capture.detect({})).iptables.flavour, /^(nft|legacy)$/);
    await assert.rejects(Capture.detect({ NODEMESH_IPTABLES: 'magic' }), (error: CaptureError) => {
      assert.equal(error.code, 'NM_CAPTURE_IPTABLES');
      return true;
    });
  });

  test('a namespace that is gone, or none, is said to be', async () => {
    const capture = new Capture(iptablesOf('nft'));
    for (const path of ['/run/netns/nmt-none', '/etc/hostname', 'relative', '/a\0b']) {
      await assert.rejects(capture.apply(path, captureRules()), (error: CaptureError) => {
        assert(error instanceof CaptureError);
        assert.equal(error.code, 'NM_CAPTURE_NETNS');
        return true;
      });
      assert.equal(existsSync('/run/netns/nmt-none'), false);
    }
  });

  test('commands that are not there are named', async () => {
    await using lab = await NetnsLab.open();
    const pod = await lab.namespace('bare');
    const capture = new Capture(iptablesOf('nft', '-none'));
    await assert.rejects(capture.apply(pod.path, captureRules()), (error: CaptureError) => {
      assert.match(error.next ?? '', /Install iptables-none-save/);
      return true;
    });
  });
});
