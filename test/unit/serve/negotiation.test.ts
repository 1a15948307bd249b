import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesStrongly, matchesWeakly, readCondition } from '../../../namerd/serve/http/entity-tag.ts';
import { mediaType, negotiate } from '../../../namerd/serve/http/media-type.ts';

const OFFERS = ['application/json', 'application/dtab', 'text/plain'] as const;

test('the best range wins: q first, then its place, the more specific for each offer', () => {
  const cases: [string | undefined, string | undefined][] = [
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['text/plain', 'text/plain'],
    ['TEXT/Plain ; q=1', 'text/plain'],
    ['text/plain, application/dtab', 'text/plain'],
    ['text/plain;q=0.5, application/dtab;q=0.6', 'application/dtab'],
    ['application/*', 'application/json'],
    ['*/*, application/json;q=0', 'application/dtab'],
    ['image/png', undefined],
    ['*/*;q=0', undefined],
    ['text/plain;q=huge', undefined],
  ];
  for (const [accept, expected] of cases) assert.equal(negotiate(accept, OFFERS), expected, String(accept));
});

test('negotiation never throws and only answers what is offered', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const offer = negotiate(text, OFFERS);
      assert.ok(offer === undefined || OFFERS.includes(offer));
      assert.equal(typeof mediaType(text), 'string');
    }),
  );
});

test('tags are read with quotes and without, in lists, weak, and as *', () => {
  const version = 'AAAAAAAAAAE=';
  for (const header of [version, `"${version}"`, `"x", "${version}"`, ` ${version} ,x`, '*', '"*"'])
    assert.ok(matchesStrongly(readCondition(header), version), header);
  for (const header of ['', 'x', `W/"${version}"`, `"${version}`, undefined])
    assert.ok(!matchesStrongly(readCondition(header), version), String(header));
  assert.ok(matchesWeakly(readCondition(`W/"${version}"`), version));
  assert.deepEqual(readCondition(undefined), { type: 'none' });
});

test('any base64 version is found again, however it is sent back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.array(fc.base64String()), (bytes, others) => {
      const version = Buffer.from(bytes).toString('base64');
      assert.ok(matchesStrongly(readCondition([...others, `"${version}"`].join(', ')), version));
    }),
  );
});
