/** The sample of Finagle's and Linkerd's behaviour in test/vectors, row by row, for the pure part of the language. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  ANY,
  Dtab,
  evalTree,
  NameSyntaxError,
  type NameTree,
  type Path,
  PathMatcher,
  parseDentry,
  parseDtab,
  parseNameTree,
  parsePath,
  parsePrefix,
  rewriteSystemPath,
  showDentry,
  showTree,
  simplifyTree,
  utf8Of,
} from '#names';
import sample from '../../vectors/dtab-sample.json' with { type: 'json' };

// The one deliberate difference in printing: the vectors hold Finagle's weights with two places (`0.50`), we print
// the shortest exact decimal (`0.5`). A shown text is compared after this transform of the expectation.
function exactWeights(shown: string): string {
  return shown.replace(/(\d+\.\d\d)\*/g, (_, weight: string) => `${Number(weight)}*`);
}

interface ParseRow {
  in: string;
  ok: boolean;
  show?: string;
  error?: string;
}

function checkParse<T>(row: ParseRow, parse: (text: string) => T, show: (value: T) => string): T | undefined {
  if (!row.ok) {
    assert.throws(
      () => parse(row.in),
      error => {
        assert.ok(error instanceof NameSyntaxError);
        assert.equal(error.code, 'NM_NAME_SYNTAX');
        if (row.error !== undefined) assert.equal(error.message, row.error);
        return true;
      },
    );
    return undefined;
  }
  const value = parse(row.in);
  if (row.show !== undefined) assert.equal(show(value), exactWeights(row.show));
  assert.equal(show(parse(show(value))), show(value));
  return value;
}

type Structure =
  | 'neg'
  | 'fail'
  | 'empty'
  | { leaf: string }
  | { alt: Structure[] }
  | { union: { weight: number; tree: Structure }[] };

function structureOf(tree: NameTree<Path>): Structure {
  if (tree.type === 'leaf') return { leaf: tree.value.show };
  if (tree.type === 'alt') return { alt: tree.trees.map(structureOf) };
  if (tree.type === 'union')
    return { union: tree.branches.map(({ weight, tree }) => ({ weight, tree: structureOf(tree) })) };
  return tree.type;
}

function evalShown(tree: NameTree<Path>): string[] | null {
  return evalTree(tree, path => path.show)?.map(path => path.show) ?? null;
}

suite('vectors', () => {
  test('path', () => {
    for (const row of sample.path) {
      const path = checkParse(row, parsePath, path => path.show);
      assert.deepEqual(path?.elems.map(utf8Of), row.segments);
    }
  });

  test('prefix', () => {
    for (const row of sample.prefix) {
      const prefix = checkParse(row, parsePrefix, prefix => prefix.show);
      assert.deepEqual(
        prefix?.elems.map(elem => (elem === ANY ? '*' : elem)),
        row.elems,
      );
    }
  });

  test('nametree', () => {
    for (const row of sample.nametree) {
      const tree = checkParse(row, parseNameTree, showTree);
      if (tree === undefined) continue;
      if (row.structure !== undefined) assert.deepEqual(structureOf(tree), row.structure);
      if (row.eval !== undefined) assert.deepEqual(evalShown(tree), row.eval);
      if (row.simplified !== undefined) assert.equal(showTree(simplifyTree(tree)), row.simplified);
      if (row.simplified_evals_the_same) assert.deepEqual(evalShown(simplifyTree(tree)), evalShown(tree));
    }
  });

  test('dentry', () => {
    for (const row of sample.dentry) {
      const dentry = checkParse(row, parseDentry, showDentry);
      assert.equal(dentry?.prefix.show, row.prefix);
      assert.equal(dentry && showTree(dentry.dst), row.dst);
    }
  });

  test('dtab_parse', () => {
    for (const row of sample.dtab_parse) {
      const dtab = checkParse(row, parseDtab, dtab => dtab.show);
      assert.equal(dtab?.size, row.count);
    }
  });

  test('dtab: lookup', () => {
    for (const row of sample.dtab)
      assert.equal(showTree(parseDtab(row.dtab).lookup(parsePath(row.lookup))), row.tree, row.dtab);
  });

  test('dtab_concat, dtab_strip, dtab_simplify', () => {
    for (const row of sample.dtab_concat)
      assert.equal(parseDtab(row.a).concat(parseDtab(row.b)).show, row.show);
    for (const row of sample.dtab_strip)
      assert.equal(parseDtab(row.dtab).stripPrefix(parseDtab(row.prefix)).show, row.show);
    for (const row of sample.dtab_simplify) assert.equal(parseDtab(row.dtab).simplified.show, row.show);
  });

  test('system_namers: the rewriters', () => {
    let rewritten = 0;
    for (const row of sample.system_namers) {
      const tree = rewriteSystemPath(parsePath(row.lookup));
      // inet, fixedinet, rinet and what is outside /$ are no rewriting: test/unit/namers has those rows.
      if (tree === undefined) continue;
      rewritten += 1;
      if (row.tree === undefined) assert.equal(tree.type, row.result, row.lookup);
      else assert.equal(showTree(tree), row.tree, row.lookup);
    }
    assert.equal(rewritten, 18);
  });

  test('path_matcher', () => {
    for (const row of sample.path_matcher) {
      const matcher = PathMatcher.parse(row.expr);
      const path = parsePath(row.path);
      if (row.pattern === undefined) {
        const vars = matcher.extract(path);
        assert.deepEqual(vars ? Object.fromEntries(vars) : null, row.vars, row.expr);
      } else assert.equal(matcher.substitute(path, row.pattern) ?? null, row.substituted);
    }
  });

  // The quirk of the first row (what the pattern does not cover is dropped) is kept: scripts rely on it.
  test('rewrite_namer', () => {
    for (const row of sample.rewrite_namer) {
      const made = PathMatcher.parse(row.pattern).substitutePath(parsePath(row.lookup), row.name);
      assert.equal(made?.show ?? '~', row.tree);
    }
  });

  test('the empty table is one value', () => {
    assert.equal(parseDtab(' # nothing\n'), Dtab.empty);
  });
});
