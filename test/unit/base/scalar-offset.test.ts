import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '#base/config.ts';

/** Where the `@` of the value is said to be, against where it stands in the file. */
function check(yaml: string): void {
  const { documents, problems } = parseYaml(yaml, 'f.yaml');
  assert.deepEqual(problems.list, []);
  const node = documents[0]?.fields().get('text');
  assert.ok(node);
  const value = node.string() ?? '';
  node.problem('here', value.indexOf('@'));
  const before = yaml.slice(0, yaml.indexOf('@')).split('\n');
  const { line, column } = problems.list[0] ?? { line: 0, column: 0 };
  assert.deepEqual([line, column], [before.length, (before.at(-1) ?? '').length + 1], yaml);
}

test('a place inside a scalar is found in every style', () => {
  check('text: ab @c');
  check('text: ab\n  c  @d');
  check('text: "a\\tb \\" \\x41 @c"');
  check("text: 'it''s @'");
  check('text: "a\n  b\\\n  c @"');
  check('text: |\n  ab\n   cd @e\n');
  check('text: |2-\n   ab\n\n  @e\n');
  check('text: >\n  ab\n  cd\n\n  @e\n');
  check('other: 1\ntext: |\n    # comment => kept\n    /a => /b ;\n    /c => @\n');
});

test('a place at the end stands just after the last character', () => {
  const { documents, problems } = parseYaml('text: |\n  /a =>  \n\n', 'f.yaml');
  const node = documents[0]?.fields().get('text');
  node?.problem('end', (node.string() ?? '').length);
  assert.deepEqual([problems.list[0]?.line, problems.list[0]?.column], [2, 8]);
});
