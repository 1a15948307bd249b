import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CaptureOptionsError, captureRules, parsePortRanges } from '#capture';
import { checkOptions, parseCidr } from '../../../cni-plugin/capture/options.ts';

test('port lists as people write them', () => {
  assert.deepEqual(parsePortRanges(''), []);
  assert.deepEqual(parsePortRanges(' 80, 443 ,8000-8100,9000:9001,'), [
    { from: 80, to: 80 },
    { from: 443, to: 443 },
    { from: 8000, to: 8100 },
    { from: 9000, to: 9001 },
  ]);
});

test('port lists with mistakes name all of them', () => {
  assert.throws(
    () => parsePortRanges('80,http,0,90000,5-4,1-2-3'),
    (error: unknown) => {
      assert(error instanceof CaptureOptionsError);
      for (const part of ['http', '0 is', '90000', '5-4', '1-2-3'])
        assert(error.message.includes(part), part);
      assert.doesNotMatch(error.message, /\b80\b/);
      return true;
    },
  );
});

test('any text is a port list or a CaptureOptionsError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9,: -]*$/)), text => {
      try {
        for (const { from, to } of parsePortRanges(text)) assert(1 <= from && from <= to && to <= 65535);
      } catch (error) {
        assert(error instanceof CaptureOptionsError);
      }
    }),
  );
});

for (const [text, expected] of [
  ['10.1.2.3', '10.1.2.3/32'],
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['10.255.255.255/9', '10.128.0.0/9'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::ffff:10.1.2.3', '10.1.2.3/32'],
  ['2001:DB8::1', '2001:db8::1/128'],
  ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
  ['::/0', '::/0'],
] as const)
  test(`${text} is the block ${expected}`, () => assert.equal(parseCidr(text)?.text, expected));

for (const text of [
  '',
  'x',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0/8',
  '::/129',
  '::1/64/2',
  'fe80::1%eth0',
  '$(reboot)',
])
  test(`'${text}' is no block`, () => assert.equal(parseCidr(text), undefined));

test('a block is a fixed point of its own canonical form', () => {
  const block = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(block, ([ip, prefix]) => {
      const cidr = parseCidr(`${ip}/${prefix}`);
      if (cidr === undefined) return; // IPv4-mapped with a prefix beyond 32
      assert.deepEqual(parseCidr(cidr.text), cidr);
    }),
  );
});

test('equal sets of ports make equal options', () => {
  const one = checkOptions({ excludedInboundPorts: parsePortRanges('81,80,90-95,93-99,82') });
  assert.deepEqual(one.excludedInboundPorts, [
    { from: 80, to: 82 },
    { from: 90, to: 99 },
  ]);
});

test('all mistakes come at once', () => {
  assert.throws(
    () =>
      captureRules({
        outboundPort: 0,
        probeSources: ['node-1'],
        probePorts: [{ from: 2, to: 1 }],
        excludedOutboundCidrs: [
          '10/8',
          ...Array.from({ length: 257 }, (_, i) => `10.0.${i >> 8}.${i & 255}`),
        ],
      }),
    (error: unknown) => {
      assert(error instanceof CaptureOptionsError);
      assert.equal(error.by, 'config');
      for (const part of ['outboundPort', "'node-1'", '2-1', "'10/8'", '258 entries'])
        assert(error.message.includes(part), part);
      return true;
    },
  );
});
