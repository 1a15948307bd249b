import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../node-proxy/http2/hpack/decoder.ts';
import { encodedBound, encodeHeadersInto, putInteger } from '../../../node-proxy/http2/hpack/encoder.ts';
import type { Header } from '../../../node-proxy/http2/hpack/header.ts';
import { canonicalCodes, decodeHuffman } from '../../../node-proxy/http2/hpack/huffman.ts';
import { STATIC_TABLE } from '../../../node-proxy/http2/hpack/static-table.ts';

const LIST_LIMIT = 100_000;

function decode(decoder: HpackDecoder, hex: string): string {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return decoder
    .decode(bytes, 0, bytes.length, LIST_LIMIT)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}

const code = (h2Code: number) => (error: unknown) => (error as { h2Code?: number }).h2Code === h2Code;
const COMPRESSION_ERROR = code(9);

/** RFC 7541 appendix C: [block, list, table size after it], each sequence on one decoder. */
const FIRST = ':method: GET\n:scheme: http\n:path: /\n:authority: www.example.com';
const SECOND = `${FIRST}\ncache-control: no-cache`;
const THIRD =
  ':method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value';
const REDIRECT = (status: string, second = '21') =>
  `:status: ${status}\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:${second} GMT\nlocation: https://www.example.com`;
const COOKIE =
  ':status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n' +
  'content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

const SEQUENCES: Record<string, [hex: string, list: string, size: number][]> = {
  'C.2.1': [
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header', 55],
  ],
  'C.2.2': [['040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path', 0]],
  'C.2.3': [['1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret', 0]],
  'C.2.4': [['82', ':method: GET', 0]],
  'C.3': [
    ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', FIRST, 57],
    ['8286 84be 5808 6e6f 2d63 6163 6865', SECOND, 110],
    ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', THIRD, 164],
  ],
  'C.4': [
    ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', FIRST, 57],
    ['8286 84be 5886 a8eb 1064 9cbf', SECOND, 110],
    ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', THIRD, 164],
  ],
  // C.5 and C.6 assume a table of 256 octets: 3fe1 01 says so.
  'C.5': [
    [
      '3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      REDIRECT('302'),
      222,
    ],
    ['4803 3330 37c1 c0bf', REDIRECT('307'), 222],
    [
      '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
      COOKIE,
      215,
    ],
  ],
  'C.6': [
    [
      '3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      REDIRECT('302'),
      222,
    ],
    ['4883 640e ffc1 c0bf', REDIRECT('307'), 222],
    [
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      COOKIE,
      215,
    ],
  ],
};

for (const [name, steps] of Object.entries(SEQUENCES)) {
  test(`decodes RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder();
    for (const [hex, list, size] of steps) {
      assert.equal(decode(decoder, hex), list);
      assert.equal(decoder.tableSize, size);
    }
  });
}

test('integers of RFC 7541 C.1', () => {
  const put = (mask: number, value: number) => {
    const into = Buffer.alloc(8);
    return into.subarray(0, putInteger(0, mask, value, into, 0)).toString('hex');
  };
  assert.equal(put(0x1f, 10), '0a');
  assert.equal(put(0x1f, 1337), '1f9a0a');
  assert.equal(put(0xff, 42), '2a');
});

test('the static table has the 61 entries of RFC 7541 appendix A', () => {
  assert.equal(STATIC_TABLE.length, 62);
  assert.deepEqual(STATIC_TABLE[16], ['accept-encoding', 'gzip, deflate']);
  assert.deepEqual(STATIC_TABLE[38], ['host', '']);
  assert.deepEqual(STATIC_TABLE[61], ['www-authenticate', '']);
});

test('the Huffman code is complete: no bit pattern is unused', () => {
  const codes = canonicalCodes();
  assert.equal(codes.length, 257);
  assert.equal(
    codes.reduce((sum, { length }) => sum + 2 ** -length, 0),
    1,
  );
  assert.deepEqual(codes.at(-1), { symbol: 256, code: 0x3fffffff, length: 30 });
});

test('every Huffman string decodes to what it was made of', () => {
  const bySymbol = new Map(canonicalCodes().map(entry => [entry.symbol, entry]));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), octets => {
      let bits = '';
      for (const octet of octets) {
        const { code, length } = bySymbol.get(octet)!;
        bits += code.toString(2).padStart(length, '0');
      }
      bits += '1'.repeat((8 - (bits.length % 8)) % 8);
      const encoded = Uint8Array.from(bits.match(/.{8}/g) ?? [], byte => Number.parseInt(byte, 2));
      const into = Buffer.alloc(Math.ceil((encoded.length * 8) / 5));
      const length = decodeHuffman(encoded, 0, encoded.length, into);
      assert.deepEqual([...into.subarray(0, length)], [...octets]);
    }),
  );
});

for (const [what, hex] of [
  ['index 0', '80'],
  ['an index beyond both tables', 'c0'],
  ['a literal that refers to no name', '7f 00 01 61'],
  ['a string longer than the block', '00 01 61 05 62'],
  ['an integer that never ends', 'ff ff ff ff ff ff ff ff 0f'],
  ['an integer cut off', 'ff'],
  ['a name without a value', '00 01 61'],
  ['a table size above the limit', '3f e2 1f'],
  ['a table size update after a field', '82 20'],
  ['Huffman padding of eight bits', '00 01 61 81 ff'],
  ['Huffman padding with zeros', '00 01 61 81 00'],
  ['the EOS symbol', '00 01 61 84 ff ff ff ff'],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => decode(new HpackDecoder(), hex), COMPRESSION_ERROR);
  });
}

test('a lowered table size must be confirmed by the next block', () => {
  const decoder = new HpackDecoder(100);
  decode(decoder, '4001 6101 62');
  decoder.acknowledged(100);
  assert.throws(() => decode(decoder, '82'), COMPRESSION_ERROR);
  const other = new HpackDecoder(100);
  other.acknowledged(100);
  assert.equal(decode(other, '3f 45 82'), ':method: GET');
});

test('a list beyond the limit is cut, said so, and leaves the table in step', () => {
  const decoder = new HpackDecoder();
  const big = Buffer.concat([
    Buffer.from('4001617f8001', 'hex'),
    Buffer.alloc(255, 'v'),
    Buffer.alloc(3000, 0xbe),
  ]);
  const list = decoder.decode(big, 0, big.length, 3000);
  assert.equal(decoder.tooLarge, true);
  assert.equal(list.length, Math.floor(3000 / (32 + 1 + 255)));
  assert.equal(decode(decoder, 'be'), `a: ${'v'.repeat(255)}`);
  assert.equal(decoder.tooLarge, false);
});

test('decoding what we encode gives the same list', () => {
  const octets = fc
    .array(fc.integer({ min: 0, max: 255 }), { maxLength: 200 })
    .map(list => Buffer.from(list).toString('latin1'));
  const known = fc.constantFrom(...STATIC_TABLE.slice(1));
  const field = fc.oneof(
    known,
    fc.tuple(octets, octets),
    fc.tuple(
      known.map(([name]) => name),
      octets,
    ),
  );
  const decoder = new HpackDecoder();
  fc.assert(
    fc.property(fc.array(field, { maxLength: 20 }), list => {
      const into = Buffer.alloc(encodedBound(list));
      const end = encodeHeadersInto(list, into, 0);
      assert.deepEqual(decoder.decode(into, 0, end, LIST_LIMIT) as Header[], list);
    }),
  );
});

test('secrets are marked as never to be indexed', () => {
  const into = Buffer.alloc(100);
  encodeHeadersInto([['authorization', 'x']], into, 0);
  assert.equal(into[0]! & 0xf0, 0x10);
});
