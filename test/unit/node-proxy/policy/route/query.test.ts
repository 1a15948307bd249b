import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { queryStart, queryValue, queryValues } from '../../../../../node-proxy/policy/route/query.ts';

describe('query parameters', () => {
  for (const [path, name, value] of [
    ['/', 'a', undefined],
    ['/?', 'a', undefined],
    ['/?a', 'a', ''],
    ['/?a=', 'a', ''],
    ['/?a=1', 'a', '1'],
    ['/?b=2&a=1&a=3', 'a', '1'],
    ['/?a=1=2', 'a', '1=2'],
    ['/?aa=1&A=2', 'a', undefined],
    ['/?&&a=1', 'a', '1'],
    ['/?=1', '', '1'],
    ['/?a=x+y', 'a', 'x y'],
    ['/?a=%41%c3%A9', 'a', 'Aé'],
    ['/?%61=1', 'a', '1'],
    ['/?a%3d=1', 'a=', '1'],
    ['/?a=%', 'a', '%'],
    ['/?a=%zz%4', 'a', '%zz%4'],
    ['/?a=%ff', 'a', '\ufffd'],
    ['/?a=1?b=2', 'a', '1?b=2'],
    ['/?a=/b', 'a', '/b'],
  ] as const) {
    it(`${path} has ${name}: ${value}`, () => {
      assert.equal(queryValue(path, queryStart(path), name), value);
      assert.equal(queryValues(path, queryStart(path)).get(name), value);
    });
  }

  it('are read as forms are (WHATWG URL), one by one and all at once', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '=',
      '&',
      '+',
      '%',
      '%61',
      '%26',
      '%C3',
      '%a9',
      '\xc3',
      '\xa9',
      '?',
      '/',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
        const query = pieces.join('');
        const path = `/x?${query}`;
        const expected = new Map<string, string>();
        // What is not ASCII is taken for bytes: that is how requests arrive here.
        const bytes = Buffer.from(query, 'latin1')
          .toString('latin1')
          .replace(/[\x80-\xff]/g, percent);
        for (const [name, value] of new URLSearchParams(`?${bytes}`))
          if (!expected.has(name)) expected.set(name, value);
        assert.deepEqual(queryValues(path, queryStart(path)), expected);
        for (const name of [...expected.keys(), 'a', 'ab', '']) {
          assert.equal(queryValue(path, queryStart(path), name), expected.get(name), `${name} of ${path}`);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16)}`;
}
