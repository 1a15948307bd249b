import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { NameSyntaxError, Path, PathMatcher, parsePath } from '#names';

function vars(expr: string, path: string): Record<string, string> | undefined {
  const found = PathMatcher.parse(expr).extract(parsePath(path));
  return found && Object.fromEntries(found);
}

suite('path matcher: what Linkerd got wrong', () => {
  test('a star beyond the end of the path is no match (it threw)', () => {
    assert.equal(vars('/foo/*/*', '/foo/bar'), undefined);
    assert.equal(vars('/*', '/'), undefined);
  });
  test('a segment matches whole: nothing may follow the last literal', () => {
    assert.equal(vars('/{A}:http', '/bas:http2'), undefined);
    assert.deepEqual(vars('/{A}:http', '/bas:http'), { A: 'bas' });
  });
  test('a dash may be in the name of a variable; ; < = > ? @ may not', () => {
    assert.deepEqual(vars('/{my-var}', '/x'), { 'my-var': 'x' });
    for (const bad of ['/{a;b}', '/{a@b}', '/{a?}', '/{}'])
      assert.throws(() => PathMatcher.parse(bad), NameSyntaxError);
  });
  test('a capture is never empty, since no path could hold it', () => {
    assert.equal(vars('/{A}-{B}', '/-b'), undefined);
    assert.equal(vars('/{A}-{B}', '/a-'), undefined);
    assert.equal(vars('/{A}-', '/-'), undefined);
  });
});

suite('path matcher', () => {
  test('captures are greedy from the left', () => {
    assert.deepEqual(vars('/{A}.{B}.{C}', '/a.b.c.d.e'), { A: 'a.b.c', B: 'd', C: 'e' });
    assert.deepEqual(vars('/x{A}{B}y', '/xabcy'), { A: 'ab', B: 'c' });
    assert.equal(vars('/x{A}xx', '/xxx'), undefined);
  });

  test('agrees with the regular expression it stands for', () => {
    const letters = fc
      .array(fc.constantFrom('a', 'b', '-'), { minLength: 1, maxLength: 8 })
      .map(each => each.join(''));
    const piece = fc.constantFrom('', 'a', '-', 'ab', '-b');
    fc.assert(
      fc.property(piece, piece, piece, letters, (x, y, z, text) => {
        const expected = new RegExp(`^${x}(.+)${y}(.+)${z}$`).exec(text);
        const wanted = expected === null ? undefined : { A: expected[1], B: expected[2] };
        assert.deepEqual(vars(`/${x}{A}${y}{B}${z}`, `/${text}`), wanted);
      }),
    );
  });

  test('takes linear time where a regular expression would not', () => {
    const expr = `/${Array.from({ length: 40 }, (_, i) => `{v${i}}a`).join('')}b`;
    const path = Path.of('a'.repeat(200_000));
    assert.equal(PathMatcher.parse(expr).extract(path), undefined);
  });

  test('what is captured goes into the template once, and unknown names are found', () => {
    const matcher = PathMatcher.parse('/{a}/{b}');
    assert.equal(matcher.substitute(parsePath('/x/y'), '/{b}/{a}/{b}'), '/y/x/y');
    assert.equal(matcher.unknownIn('/{b}/{c}'), 'c');
    assert.equal(matcher.unknownIn('/{b}'), undefined);
    assert.equal(matcher.substitutePath(parsePath('/x/y'), '/{c}'), undefined);
    assert.deepEqual(matcher.substitutePath(parsePath('/x\\x20/y'), '/{a}')?.elems, ['x ']);
  });

  test('mistakes in a pattern point at their place', () => {
    const cases: [expr: string, offset: number][] = [
      ['', 0],
      ['foo', 0],
      ['/a/', 3],
      ['/a//b', 3],
      ['/a/b{c', 3],
      ['/a/*b', 3],
      ['/{a}/{a}', 5],
    ];
    for (const [expr, offset] of cases) {
      assert.throws(
        () => PathMatcher.parse(expr),
        error => error instanceof NameSyntaxError && error.offset === offset,
        expr,
      );
    }
  });
});
