import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { formatProblem, parseYaml } from '#base/config.ts';
import { patternProblem, readPattern } from '../../../../namerd/resources/values/pattern.ts';

test('patterns of RE2 are good', () => {
  const good = [
    'a',
    '.*',
    '^/a/[0-9]{1,3}$',
    '(?i)x',
    '[^/]+',
    '[]a]{2}',
    '[[:alpha:]]+',
    '\\pL',
    '\\x{100}',
    'a{,2}',
  ];
  for (const text of [...good, '(a|b){10}', '\\Qa.b\\E', '((a{5}){5}){5}', '[a-z]{1,200}'])
    assert.equal(patternProblem(text), undefined, text);
});

test('a problem names what is wrong and stands at its character', () => {
  const cases: [string, RegExp, number | undefined][] = [
    ['a(?=b)', /'a\(\?=b\)' is no regular expression \(RE2\): .*Perl syntax at '\(\?='/, 1],
    ['ab[z-a]', /range at 'z-a'/, 3],
    ['a**', /nested repetition operator at '\*\*'/, 1],
    ['x\\1', /escape sequence at '\\1'/, 1],
    ['(ab', /missing closing \)/, 0],
    ['ab)', /unexpected \)|missing/, undefined],
    ['a'.repeat(1_025), /1025 characters: at most 1024/, undefined],
  ];
  for (const [text, message, offset] of cases) {
    const problem = patternProblem(text);
    assert.match(problem?.message ?? '', message);
    if (offset !== undefined) assert.equal(problem?.offset, offset, text);
  }
  const { documents, problems } = parseYaml('p: "ab[z-a]"\n', 'f');
  assert.equal(readPattern(documents[0]?.fields().get('p')), undefined);
  assert.match(problems.list.map(formatProblem).join(), /^f:1:8: p: /);
});

test('what explodes is refused before it is built', () => {
  const started = performance.now();
  for (const text of [
    '(a?){1000}'.repeat(100),
    '\\pL{1000}'.repeat(100),
    '((a{10}){10}){10}',
    '(.{500}){2}',
    'a{513}',
  ])
    assert.match(patternProblem(text)?.message ?? '', /too large/, text.slice(0, 20));
  // Building the first takes half a second, running it on 8 KiB more than a minute.
  assert.ok(performance.now() - started < 200);
});

test('whatever the text: a problem, or a program that is small', () => {
  const piece = fc.constantFrom(
    ...[
      'a',
      '.',
      '(',
      ')',
      '[',
      ']',
      '{2}',
      '{9,}',
      '{0,99}',
      '*',
      '+?',
      '|',
      '\\',
      '\\d',
      '^',
      '$',
      '[^b]',
      '[]c]',
    ],
    ...['(?:', '(?i)', '{', '}', '-', '\\Q', '\\E', '[[:digit:]]'],
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece, { maxLength: 40 }).map(all => all.join('')),
        fc.string(),
      ),
      text => {
        if (text !== '' && patternProblem(text) === undefined)
          assert.ok(RE2JS.compile(text).programSize() <= 512);
      },
    ),
    { numRuns: 500 },
  );
});
