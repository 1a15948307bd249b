import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  alt,
  applyDentry,
  Dtab,
  evalTree,
  Path,
  parseDtab,
  parseNameTree,
  parsePath,
  parsePrefix,
  rewriteSystemPath,
  showTree,
  showWeight,
  simplifyTree,
} from '#names';
import { anyDtab, anyPath, anyPrefix, anyTree, anyWeight } from '../../lib/naming/arbitraries.ts';

suite('printing then parsing changes nothing', () => {
  test('path', () => {
    fc.assert(fc.property(anyPath, path => assert.deepEqual(parsePath(path.show).elems, path.elems)));
  });
  test('prefix', () => {
    fc.assert(
      fc.property(anyPrefix, prefix => assert.deepEqual(parsePrefix(prefix.show).elems, prefix.elems)),
    );
  });
  test('tree', () => {
    fc.assert(
      fc.property(anyTree, tree => {
        const again = parseNameTree(showTree(tree));
        assert.equal(JSON.stringify(again), JSON.stringify(tree));
      }),
    );
  });
  test('dtab', () => {
    fc.assert(
      fc.property(anyDtab, dtab => {
        const again = parseDtab(dtab.show);
        assert.equal(JSON.stringify(again.dentries), JSON.stringify(dtab.dentries));
        assert.ok(again.equals(dtab));
      }),
    );
  });
  test('weight: exact, without exponent', () => {
    fc.assert(
      fc.property(anyWeight, weight => {
        const shown = showWeight(weight);
        assert.match(shown, /^\d+(\.\d+)?$/);
        assert.equal(Number(shown), weight);
      }),
    );
    assert.equal(showWeight(0.001), '0.001');
    assert.equal(showWeight(1e-7), '0.0000001');
    assert.equal(showWeight(1.5e21), '1500000000000000000000');
  });
});

suite('laws of lookup', () => {
  /** The definition, without index: every dentry, last to first. */
  const slowly = (dtab: Dtab, path: Path) =>
    alt(
      dtab.dentries
        .filter(({ prefix }) => prefix.matches(path))
        .reverse()
        .map(dentry => applyDentry(dentry, path)),
    );

  test('is the definition, with or without an index', () => {
    fc.assert(
      fc.property(anyDtab, anyPath, (dtab, path) => {
        assert.equal(showTree(dtab.lookup(path)), showTree(slowly(dtab, path)));
      }),
    );
  });

  test('a concatenated table tries the second part first', () => {
    fc.assert(
      fc.property(anyDtab, anyDtab, anyPath, (a, b, path) => {
        const tried = [...b.matching(path), ...a.matching(path)];
        assert.deepEqual(a.concat(b).matching(path), tried);
      }),
    );
  });

  test('concatenation is associative, the empty table its unit, and stripping undoes it', () => {
    fc.assert(
      fc.property(anyDtab, anyDtab, anyDtab, (a, b, c) => {
        assert.equal(a.concat(b).concat(c).show, a.concat(b.concat(c)).show);
        assert.equal(a.concat(Dtab.empty), a);
        assert.ok(a.concat(b).stripPrefix(a).equals(b));
      }),
    );
  });

  test('the rest of the path follows every leaf', () => {
    fc.assert(
      fc.property(anyTree, anyPath, (dst, rest) => {
        const dtab = Dtab.of([{ prefix: parsePrefix('/pre'), dst }]);
        const got = evalTree(dtab.lookup(Path.of('pre').concat(rest)), path => path.show);
        const wanted = evalTree(dst, path => path.show)?.map(path => path.concat(rest).show);
        assert.deepEqual(got && [...got].map(path => path.show), wanted);
      }),
    );
  });
});

suite('simplification', () => {
  const shown = (tree: ReturnType<typeof parseNameTree>) =>
    evalTree(tree, path => path.show)?.map(path => path.show);

  test('preserves the answer, and is done after one pass', () => {
    fc.assert(
      fc.property(anyTree, tree => {
        const simple = simplifyTree(tree);
        assert.deepEqual(shown(simple), shown(tree));
        assert.equal(showTree(simplifyTree(simple)), showTree(simple));
      }),
    );
  });

  test('of a table changes no answer', () => {
    fc.assert(
      fc.property(anyDtab, anyPath, (dtab, path) => {
        assert.deepEqual(shown(dtab.simplified.lookup(path)), shown(dtab.lookup(path)));
      }),
    );
  });
});

test('a table of 1,000 dentries: every lookup is right', () => {
  const text = Array.from({ length: 1000 }, (_, i) => `/svc/s${i} => 0.9*/#/a/s${i} & 0.1*/#/b/s${i};`).join(
    '\n',
  );
  const dtab = parseDtab(`${text} /svc/*/special => /#/special`);
  assert.equal(dtab.size, 1001);
  assert.equal(showTree(dtab.lookup(parsePath('/svc/s7/x'))), '0.9*/#/a/s7/x & 0.1*/#/b/s7/x');
  assert.equal(
    showTree(dtab.lookup(parsePath('/svc/s7/special/x'))),
    '/#/special/x | 0.9*/#/a/s7/special/x & 0.1*/#/b/s7/special/x',
  );
  assert.equal(showTree(dtab.lookup(parsePath('/svc/none'))), '~');
});

suite('rewriters beyond the vectors', () => {
  const rewrite = (text: string) => {
    const tree = rewriteSystemPath(parsePath(text));
    return tree && showTree(tree);
  };
  const cases: [from: string, to: string | undefined][] = [
    ['/$/io.buoyant.hostportPfx/ia/[2001:db8::1]:80/etc', '/ia/2001:db8::1/80/etc'],
    ['/$/io.buoyant.porthostPfx/ia/[::1]:http', '/ia/http/::1'],
    ['/$/io.buoyant.hostportPfx/ia/[::1]/etc', '~'],
    ['/$/io.buoyant.hostportPfx/ia/:80', '~'],
    ['/$/io.buoyant.hostportPfx/ia/host:', '~'],
    [`/$/io.buoyant.hostportPfx/ia/host:${'a'.repeat(63)}`, `/ia/host/${'a'.repeat(63)}`],
    [`/$/io.buoyant.hostportPfx/ia/host:${'a'.repeat(64)}`, '~'],
    ['/$/io.buoyant.http.anyMethod/GET/a', '/a'],
    ['/$/io.buoyant.http.anyMethod/get/a', '~'],
    ['/$/io.buoyant.http.anyMethodPfx/p/GET', '/p'],
    ['/$/io.buoyant.http.anyHost/[::1]:80/a', '/a'],
    ['/$/io.buoyant.http.anyHostPfx/p', '~'],
    ['/$/io.buoyant.http.domainToPathPfx/p/a.b.c./x', '/p/c/b/a/x'],
    ['/$/io.buoyant.http.domainToPath/a..b', '~'],
    ['/$/io.buoyant.http.domainToPath/...', '~'],
    ['/$/io.buoyant.http.domainToPath', '~'],
    ['/$/java.lang.Object/x', undefined],
    ['/$/constructor/x', undefined],
    ['/$', undefined],
    ['/svc/nil', undefined],
  ];
  for (const [from, to] of cases) test(`${from} → ${to}`, () => assert.equal(rewrite(from), to));
});
