import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import {
  MAX_NODE_ADDRESSES,
  nodeAddresses,
  ProbeSources,
} from '../../../../node-proxy/pods/probe-sources.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const at = (...addresses: string[]) =>
  addresses.map(address => ({ address, internal: false }) as NetworkInterfaceInfo);

describe('the addresses that probes come from', () => {
  it("are the node's own of global scope, not those of pods' cables and of services", () => {
    const found = nodeAddresses({
      lo: [{ address: '127.0.0.1', internal: true } as NetworkInterfaceInfo],
      eth0: at('192.168.0.5', '2001:DB8::1', 'fe80::1%eth0', '169.254.1.1'),
      cni0: at('10.244.1.1', 'fe80::2'),
      veth1234: at('10.9.9.9', 'fe80::3'),
      'kube-ipvs0': at('10.96.0.1', '10.96.0.10'),
      gone: undefined,
    });
    assert.deepEqual(found, ['10.244.1.1', '192.168.0.5', '2001:db8::1']);
  });

  it('are read at most every 30 s, capped, and the cap is told once', () => {
    const warnings: string[] = [];
    const clock = new FakeClock();
    let reads = 0;
    const many = Array.from({ length: MAX_NODE_ADDRESSES + 1 }, (_, i) => `10.1.0.${i + 1}`);
    const sources = new ProbeSources(clock, pino({}, { write: line => warnings.push(line) }), () => {
      reads += 1;
      return { eth0: at(...many) };
    });
    assert.equal(sources.addresses.length, MAX_NODE_ADDRESSES);
    clock.advance(29_999);
    assert.equal(sources.addresses.length, MAX_NODE_ADDRESSES);
    assert.equal(reads, 1);
    clock.advance(1);
    assert.equal(sources.addresses.length, MAX_NODE_ADDRESSES);
    assert.equal(reads, 2);
    assert.equal(warnings.length, 1);
  });
});
