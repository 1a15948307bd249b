import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { compilePattern, shortcutOf } from '../../../../../node-proxy/policy/route/match/text-test.ts';

describe('patterns that need no engine', () => {
  for (const [pattern, fitting, others] of [
    ['abc', ['abc'], ['abcd', 'xabc', 'ABC', '']],
    ['^abc$', ['abc'], ['^abc$', 'abcd']],
    ['a\\.b', ['a.b'], ['axb', 'a\\.b']],
    ['a\\$', ['a$'], ['a', 'a\\$']],
    ['a|b\\|c|', ['a', 'b|c', ''], ['b', 'a|b']],
    ['(a|b)', ['a', 'b'], ['(a', 'ab']],
    ['(?:a|b)', ['a', 'b'], ['?:a']],
    ['^(?:a|b)$', ['a', 'b'], ['']],
    ['/api/.*', ['/api/', '/api/x'], ['/api', '/api/\nx', 'x/api/']],
    ['.*', ['', 'anything'], ['\n']],
    ['', [''], ['x']],
  ] as const) {
    it(JSON.stringify(pattern), () => {
      const test = shortcutOf(pattern);
      assert.ok(test);
      for (const text of fitting) assert.ok(test.fits(text), text);
      for (const text of others) assert.ok(!test.fits(text), text);
    });
  }

  it('are not those in which anything else has a meaning', () => {
    for (const pattern of [
      'a.c',
      'a+',
      'a?',
      '[ab]',
      'a{2}',
      '(a)(b)',
      '(a)|(b)',
      'a$|b',
      'a|^b',
      '(?i)a',
      '(?i:a)',
      '(?P<n>a)',
      '\\d',
      '\\Qa\\E',
      'a\\.*',
      'a|b.*',
      '.*a',
      '(a|b).*',
      'a\\',
      '(a\\)',
      '😀',
    ]) {
      assert.equal(shortcutOf(pattern), undefined, pattern);
    }
  });

  it('answer as the engine does', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '|',
      '.*',
      '^',
      '$',
      '(',
      ')',
      '(?:',
      '\\.',
      '\\$',
      '\\\\',
      '.',
      '-',
      '/',
      '*',
    );
    const text = fc.array(fc.constantFrom('a', 'b', '.', '$', '\\', '|', '/', '\n', '-'), { maxLength: 4 });
    let shortcuts = 0;
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 5 }),
        fc.array(text, { minLength: 10, maxLength: 20 }),
        (pieces, texts) => {
          const pattern = pieces.join('');
          const shortcut = shortcutOf(pattern);
          if (shortcut === undefined) return;
          shortcuts += 1;
          const engine = RE2JS.compile(pattern);
          for (const each of texts) {
            const sent = each.join('');
            assert.equal(
              shortcut.fits(sent),
              engine.matcher(sent).matches(),
              `${pattern} on ${JSON.stringify(sent)}`,
            );
          }
        },
      ),
      { numRuns: 3_000 },
    );
    assert.ok(shortcuts > 300, `${shortcuts}`);
  });
});

it('patterns that need the engine are not asked of texts that start differently, which changes no answer', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    'ab',
    '+',
    '*',
    '?',
    '{0,2}',
    '^',
    '(b)',
    '|',
    '.',
    '[ab]',
    '(?i)',
    '\\Q\\E',
    '(?:)',
    '$',
  );
  const text = fc.array(fc.constantFrom('a', 'b', 'A', 'B', '\n'), { maxLength: 4 });
  let asked = 0;
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 6 }),
      fc.array(text, { minLength: 10, maxLength: 20 }),
      (pieces, texts) => {
        const pattern = pieces.join('');
        let engine: RE2JS;
        try {
          engine = RE2JS.compile(pattern);
        } catch {
          return;
        }
        const test = compilePattern(pattern);
        for (const each of texts) {
          const sent = each.join('');
          const fits = engine.matcher(sent).matches();
          asked += fits ? 1 : 0;
          assert.equal(test.fits(sent), fits, `${pattern} on ${JSON.stringify(sent)}`);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(asked > 500, `${asked} fitted`);
});

it('patterns that need the engine are asked of the whole text, in linear time', () => {
  const test = compilePattern('(a+)+[bc]');
  assert.ok(test.fits('aaab'));
  assert.ok(!test.fits('aaabx'));
  assert.ok(!test.fits(`${'a'.repeat(20_000)}d`));
  assert.throws(() => compilePattern('(?=a)'));
});
