import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatEndpoint } from '#base/net.ts';
import {
  formatBaggage,
  formatForwarded,
  parseAuthority,
  workloadOfBaggage,
} from '../../../../node-proxy/tunnel/hbone/wire.ts';

describe('the authority of a CONNECT', () => {
  for (const [text, target] of [
    ['10.1.2.3:80', { ip: '10.1.2.3', port: 80 }],
    ['[2001:DB8::1]:443', { ip: '2001:db8::1', port: 443 }],
    ['web.calc.svc:8080', { ip: undefined, port: 8080 }],
    ['10.1.2.3', undefined],
    ['10.1.2.3:0', undefined],
    ['10.1.2.3:65536', undefined],
    ['2001:db8::1:443', undefined],
    ['[10.1.2.3]:80', undefined],
    ['user@10.1.2.3:80', undefined],
    ['10.1.2.3:80/path', undefined],
    ['', undefined],
    [`${'a'.repeat(600)}:80`, undefined],
  ] as const) {
    it(`${JSON.stringify(text).slice(0, 40)} is ${target === undefined ? 'malformed' : 'understood'}`, () => {
      assert.deepEqual(parseAuthority(text), target);
    });
  }

  it('reads back every address that is written', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65535 }), (ip, port) => {
        assert.equal(parseAuthority(formatEndpoint(ip, port))?.port, port);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), text => void parseAuthority(text)));
  });
});

describe('baggage', () => {
  it('names the workload', () => {
    assert.equal(workloadOfBaggage(formatBaggage('calc', 'fanboy-1')), 'calc/fanboy-1');
  });
  it('of ztunnel is understood', () => {
    const text =
      'k8s.cluster.name=Kubernetes,k8s.namespace.name=calc,k8s.deployment.name=addition,service.name=addition';
    assert.equal(workloadOfBaggage(text), 'calc/addition');
  });
  it('with hostile text names nobody', () => {
    assert.equal(workloadOfBaggage('k8s.namespace.name=a"b\n,k8s.pod.name=x'), '');
    assert.equal(workloadOfBaggage('x'.repeat(10_000)), '');
    assert.equal(workloadOfBaggage(undefined), '');
  });
});

it('forwarded brackets IPv6 (RFC 7239 §6)', () => {
  assert.equal(formatForwarded('2001:db8::1', 4711), 'for="[2001:db8::1]:4711"');
});
