import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalIp } from '#base/net.ts';
import { KernelError } from '../../../node-proxy/kernel/kernel-error.ts';
import { decodeSocketAddress, encodeSocketAddress } from '../../../node-proxy/kernel/socket-address.ts';

const port = fc.integer({ min: 0, max: 65535 });

/** Zero groups are frequent, so that every shape of `::` occurs. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
});

test('IPv4 addresses survive the way through struct sockaddr_in', () => {
  fc.assert(
    fc.property(fc.ipV4(), port, (ip, port) => {
      assert.deepEqual(decodeSocketAddress(encodeSocketAddress(ip, port)), { ip, port });
    }),
  );
});

test('IPv6 addresses come out in the one canonical spelling', () => {
  fc.assert(
    fc.property(groups, port, (groups, port) => {
      const text = groups.map(group => group.toString(16)).join(':');
      const expected = { ip: canonicalIp(text), port };
      assert.deepEqual(decodeSocketAddress(encodeSocketAddress(text, port)), expected);
    }),
    { numRuns: 1000 },
  );
});

for (const ip of [
  '::',
  '::1',
  '1::',
  '1::2',
  'fe80::1:0:0:1',
  '2001:db8:0:1:1:1:1:1',
  '0:1::',
  '1:2:3:4:5:6:7:0',
])
  test(`${ip} is decoded as node:net prints it`, () => {
    assert.equal(decodeSocketAddress(encodeSocketAddress(ip, 1))?.ip, canonicalIp(ip));
  });

test('an IPv4-mapped peer is an IPv4 peer', () => {
  const bytes = new Uint8Array(28);
  bytes.set([10, 0, 0x1f, 0x90]);
  bytes.set([0xff, 0xff, 192, 0, 2, 7], 18);
  assert.deepEqual(decodeSocketAddress(bytes), { ip: '192.0.2.7', port: 8080 });
});

test('another address family is not an address', () => {
  assert.equal(decodeSocketAddress(new Uint8Array([1, 0, 0, 0])), undefined);
});

test('bad input is refused before the kernel sees it', () => {
  for (const [ip, port] of [
    ['nonsense', 1],
    ['1.2.3.4', 65536],
    ['1.2.3.4', -1],
    ['1.2.3.4', 1.5],
  ] as const)
    assert.throws(
      () => encodeSocketAddress(ip, port),
      (error: KernelError) => {
        assert(error instanceof KernelError);
        return error.errno === 'EINVAL';
      },
    );
});
