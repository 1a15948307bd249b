import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseByteSize } from '../../../../namerd/resources/values/byte-size.ts';

test('sizes are bytes, with a binary unit or without', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['65536', 65_536],
    ['64Ki', 65_536],
    ['1Mi', 1_048_576],
    ['2Gi', 2_147_483_648],
    ...['', 'Ki', '1K', '1k', '64 Ki', '-1', '1.5Mi', '1e3', '1MiB'].map((text): [string, undefined] => [
      text,
      undefined,
    ]),
  ];
  for (const [text, bytes] of cases) assert.equal(parseByteSize(text), bytes, text);
});
