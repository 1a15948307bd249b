import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  MAX_NAME_TEXT,
  MAX_NESTING,
  NameSyntaxError,
  Path,
  parseDtab,
  parseNameTree,
  parsePath,
  parsePrefix,
  showTree,
} from '#names';

function refusal(act: () => unknown): NameSyntaxError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof NameSyntaxError, String(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}

suite('parse: errors point at the character', () => {
  const cases: [text: string, read: (text: string) => unknown, message: string, offset: number][] = [
    ['', parsePath, "'/' expected but end of input found at '[]'", 0],
    ['foo', parsePath, "'/' expected but 'f' found at '[f]oo'", 0],
    ['/foo/', parsePath, "label char expected but end of input found at '/foo/[]'", 5],
    ['//', parsePath, "end of input expected but '/' found at '/[/]'", 1],
    ['/foo//bar', parsePath, "label char expected but '/' found at '/foo/[/]bar'", 5],
    ['/foo/*', parsePath, "label char expected but '*' found at '/foo/[*]'", 5],
    ['/\\y41', parsePath, "'x' expected but 'y' found at '/\\[y]41'", 2],
    ['/\\x4', parsePath, "hex char expected but end of input found at '/\\x4[]'", 4],
    ['/\\x?', parsePath, "hex char expected but '?' found at '/\\x[?]'", 3],
    ['/a*', parsePrefix, "end of input expected but '*' found at '/a[*]'", 2],
    ['/café', parsePath, "end of input expected but 'é' found at '/caf[é]'", 4],
    ['/a/😀', parsePath, "label char expected but '😀' found at '/a/[😀]'", 3],
    ['(/a', parseNameTree, "')' expected but end of input found at '(/a[]'", 3],
    ['$/a', parseNameTree, "end of input expected but '/' found at '$[/]a'", 1],
    ['1.2.3*/a', parseNameTree, "number char expected but '.' found at '1.2[.]3*/a'", 3],
    ['/a & . * /b', parseNameTree, "weight expected but '.' found at '/a & [.] * /b'", 5],
    [';', parseDtab, "'/' expected but ';' found at '[;]'", 0],
    ['/a=>/b;;', parseDtab, "'/' expected but ';' found at '/a=>/b;[;]'", 7],
    ['/a=/b', parseDtab, "'>' expected but '/' found at '/a=[/]b'", 3],
    ['/a=>/b,/c=>/d', parseDtab, "end of input expected but ',' found at '/a=>/b[,]/c=>/d'", 6],
  ];
  for (const [text, read, message, offset] of cases) {
    test(message, () => {
      const error = refusal(() => read(text));
      assert.equal(error.message, message);
      assert.equal(error.offset, offset);
      assert.ok(error.message.startsWith(error.expected));
    });
  }

  test('of a long text only the surroundings are shown', () => {
    const error = refusal(() => parsePath(`/${'a'.repeat(50_000)}^${'b'.repeat(50_000)}`));
    assert.equal(error.offset, 50_001);
    assert.match(error.message, /^end of input expected but '\^' found at '…a+\[\^\]b+…'$/);
    assert.ok(error.message.length < 300);
  });
});

suite('parse: limits', () => {
  test('nesting ends with an error, not with the stack', () => {
    const nested = (depth: number) => `${'('.repeat(depth)}/a${')'.repeat(depth)}`;
    assert.equal(showTree(parseNameTree(nested(MAX_NESTING))), '/a');
    assert.match(refusal(() => parseNameTree(nested(MAX_NESTING + 1))).message, /nested parentheses/);
    assert.match(refusal(() => parseNameTree('('.repeat(MAX_NAME_TEXT))).message, /nested parentheses/);
  });

  test('a text beyond the limit is refused unread', () => {
    assert.match(refusal(() => parseDtab('#'.repeat(MAX_NAME_TEXT + 1))).message, /at most 1048576 char/);
  });

  test('a weight that no number can hold is refused', () => {
    assert.equal(refusal(() => parseNameTree(`${'9'.repeat(400)}*/a & /b`)).offset, 0);
  });
});

suite('parse: details of the language', () => {
  test('whitespace is eaten around tokens; non-breaking spaces are none', () => {
    assert.equal(parsePath('\t\u2003\u001c/a\r\n').show, '/a');
    refusal(() => parsePath('\u00a0/a'));
    refusal(() => parsePath('/a\u2007'));
  });

  test('a hash glued to a label is the label; elsewhere it starts a comment', () => {
    assert.equal(parseDtab('/a=>/b#c').show, '/a=>/b#c');
    assert.equal(parseDtab('/a=>/b # c ; /x=>/y').show, '/a=>/b');
  });

  test('a union of one loses its weight, a weight covers one simple tree', () => {
    assert.equal(showTree(parseNameTree('3*/a')), '/a');
    assert.equal(showTree(parseNameTree('2*/a | /b')), '/a | /b');
    assert.equal(showTree(parseNameTree('2*(/a|/b) & /c')), '2*(/a | /b) & /c');
  });

  test('bytes are written as escapes, all of an element or none', () => {
    assert.equal(Path.of('café').show, '/\\x63\\x61\\x66\\xc3\\xa9');
    assert.deepEqual(parsePath('/caf\\xC3\\xa9').elems, Path.of('café').elems);
    assert.equal(Path.of('a/b').show, '/\\x61\\x2f\\x62');
  });

  test('an IPv6 host is an element, bare or in brackets, with or without a port', () => {
    assert.deepEqual(parsePath('/$/inet/2001:db8::1/80').elems, ['$', 'inet', '2001:db8::1', '80']);
    assert.deepEqual(parsePath('/host/[::1]/[2001:db8::1]:8080/x').elems, [
      'host',
      '[::1]',
      '[2001:db8::1]:8080',
      'x',
    ]);
    assert.equal(Path.of('[::1]:80').show, '/[::1]:80');
    for (const bad of [
      '/[]',
      '/[1.2.3.4]',
      '/[::1',
      '/[::1]x',
      '/a[::1]',
      '/[::1]\\x41',
      '/[:::]',
      '/[::1]:',
    ])
      refusal(() => parsePath(bad));
    // What only looks like a host is printed as bytes.
    assert.equal(Path.of('[::1]x').show.startsWith('/\\x5b'), true);
  });
});
