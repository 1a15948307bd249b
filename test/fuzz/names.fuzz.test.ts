/** Whatever comes in, a reader of names answers with a value or with NameSyntaxError, soon and with a bounded stack. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  NameSyntaxError,
  PathMatcher,
  parseDentry,
  parseDtab,
  parseNameTree,
  parsePath,
  parsePrefix,
  rewriteSystemPath,
  showDentry,
  showTree,
} from '#names';
import { anyDtab } from '../lib/naming/arbitraries.ts';

const SEED = 20_260_101;
const RUNS = 2_000;

/** Reads with every reader; what is read must print and read back as the same. */
function throwAt(text: string): void {
  const readers: [(text: string) => unknown, (value: never) => string][] = [
    [parsePath, (value: { show: string }) => value.show],
    [parsePrefix, (value: { show: string }) => value.show],
    [parseNameTree, showTree],
    [parseDentry, showDentry],
    [parseDtab, (value: { show: string }) => value.show],
    [PathMatcher.parse, (value: { expr: string }) => value.expr],
  ];
  for (const [read, show] of readers) {
    let value: unknown;
    try {
      value = read(text);
    } catch (error) {
      assert.ok(error instanceof NameSyntaxError, `${JSON.stringify(text.slice(0, 200))}: ${error}`);
      assert.ok(error.offset >= 0 && error.offset <= text.length);
      assert.ok(error.message.length < 3_000);
      continue;
    }
    const shown = show(value as never);
    assert.equal(show(read(shown) as never), shown);
  }
}

const token = fc.constantFrom(
  ...[
    '/',
    '//',
    '*',
    '=>',
    '=',
    '>',
    ';',
    '|',
    '&',
    '(',
    ')',
    '~',
    '!',
    '$',
    '#',
    '\n',
    ' ',
    '\\x',
    '\\',
    '.',
    '5',
  ],
  ...[
    '0.5*',
    '[',
    ']',
    '[::1]',
    ':80',
    'a',
    'svc',
    '\\x2f',
    'é',
    '😀',
    '\u0000',
    '\uffff',
    '{a}',
    '{',
    '-',
    '"',
  ],
);

suite('names fuzz', () => {
  test('random text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), throwAt), {
      seed: SEED,
      numRuns: RUNS,
    });
  });

  test('random tokens of the language', () => {
    const text = fc.array(token, { maxLength: 25 }).map(tokens => tokens.join(''));
    fc.assert(fc.property(text, throwAt), { seed: SEED, numRuns: RUNS });
  });

  test('valid tables with one piece cut out, doubled or replaced', () => {
    const mutated = fc
      .tuple(anyDtab, fc.nat(), fc.nat(12), token, fc.constantFrom('cut', 'double', 'replace'))
      .map(([dtab, at, length, put, how]) => {
        const text = dtab.show;
        const start = text.length === 0 ? 0 : at % text.length;
        const end = Math.min(start + length, text.length);
        if (how === 'cut') return text.slice(0, start) + text.slice(end);
        if (how === 'double') return text.slice(0, end) + text.slice(start);
        return text.slice(0, start) + put + text.slice(end);
      });
    fc.assert(fc.property(mutated, throwAt), { seed: SEED, numRuns: RUNS / 2 });
  });

  test('system paths of any shape', () => {
    const elem = fc.oneof(
      fc.constantFrom('a.b', 'GET', 'h:80', '[::1]:80', ':', '.', '..', '.a.b'),
      fc.string(),
    );
    const name = fc.constantFrom(
      'hostportPfx',
      'http.subdomainOf',
      'http.domainToPathPfx',
      'http.anyMethodPfx',
    );
    fc.assert(
      fc.property(name, fc.array(elem, { maxLength: 4 }), (name, elems) => {
        const text = ['', '$', `io.buoyant.${name}`, ...elems].join('/');
        let path: ReturnType<typeof parsePath>;
        try {
          path = parsePath(text);
        } catch {
          return;
        }
        const tree = rewriteSystemPath(path);
        assert.ok(tree);
        assert.equal(showTree(parseNameTree(showTree(tree))), showTree(tree));
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  test('large and deep inputs', () => {
    const large = 300_000;
    for (const text of [
      '('.repeat(large),
      `${'('.repeat(99)}/a${')'.repeat(99)}`.repeat(50),
      '/'.repeat(large),
      '/a'.repeat(large / 2),
      '/a|'.repeat(large / 3),
      '/a&'.repeat(large / 3),
      '!|~&'.repeat(large / 4),
      `/a=>${'('.repeat(200)}`,
      '/=>/;'.repeat(large / 5),
      '#\n'.repeat(large / 2),
      ' '.repeat(large),
      '\\x41'.repeat(large / 4),
      `/${'['.repeat(large - 1)}`,
      '5'.repeat(large),
      '😀'.repeat(large / 4),
      '/x'.repeat(2_000_000),
    ])
      throwAt(text);
  });
});
