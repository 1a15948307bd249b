import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, parseYaml } from '#base/config.ts';

function problemsOf(text: string): string[] {
  return parseYaml(text, 'f').problems.list.map(formatProblem);
}

test('a mapping of very many keys is read in time that grows with their number', () => {
  const text = Array.from({ length: 50_000 }, (_, i) => `k${i}: v\n`).join('');
  const before = process.cpuUsage();
  const { documents, problems } = parseYaml(text, 'f');
  const { user, system } = process.cpuUsage(before);
  assert.equal(documents[0]?.fields().names.length, 50_000);
  assert.deepEqual(problems.list, []);
  // Comparing every pair took minutes.
  assert.ok(user + system < 15e6, `${(user + system) / 1e6} s`);
});

test('a key that stands twice is a problem at its second place, at any depth', () => {
  assert.deepEqual(problemsOf('a: 1\nb:\n  - {c: 1, d: 2, c: 3}\na: 2\n'), [
    "f:4:1: the key 'a' stands here twice",
    "f:3:18: the key 'c' stands here twice",
  ]);
  assert.deepEqual(parseYaml('a: 1\na: 2\n---\nb: 1\n', 'f').documents.length, 1);
});

test('nesting beyond any sense ends the reading at once', () => {
  for (const text of [
    '['.repeat(500_000),
    '{a'.repeat(300_000),
    '- '.repeat(500_000),
    '? '.repeat(500_000),
  ]) {
    const problems = problemsOf(text);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /more than 100 lists or mappings within one another/);
  }
  const hundred = `a: ${'['.repeat(100)}${']'.repeat(100)}\n`;
  assert.deepEqual(problemsOf(hundred), []);
});

test('brackets and dashes inside of scalars are no nesting', () => {
  const lines = Array.from({ length: 300 }, () => '- "["\n- |\n  [\n- a - - - [ b\n').join('');
  assert.deepEqual(problemsOf(lines), []);
});

test('a million documents are not read to the end', () => {
  assert.match(
    problemsOf('---\n'.repeat(1_000_000)).join(),
    /^f:20001:1: more than 20000 documents in one text$/,
  );
});

test('syntax errors that follow from one another are not all told', () => {
  const { length } = problemsOf('a: '.repeat(2_000));
  assert.ok(length > 0 && length <= 20, `${length}`);
});

test('an alias is not taken for an absent field', () => {
  const { documents, problems } = parseYaml('a: &x [1]\nb: *x\nc: null\nd:\n', 'f');
  const fields = documents[0]?.fields();
  assert.ok(fields);
  for (const name of ['c', 'd']) assert.equal(fields.get(name), undefined);
  fields.get('b')?.items();
  assert.deepEqual(problems.list.map(formatProblem), [
    'f:2:4: b: a list is expected here, but an alias is there (aliases are not read)',
  ]);
});

test('a message repeats only the beginning of a wrong value', () => {
  const { documents, problems } = parseYaml(`a: 'root:x:0:0 ${'secret '.repeat(1000)}'`, 'f');
  documents[0]?.fields().get('a')?.items();
  documents[0]?.fields().get('a')?.integer();
  for (const { message } of problems.list) assert.ok(message.length < 200, message);
  assert.match(
    problems.list[0]?.message ?? '',
    /^a list is expected here, but "root:x:0:0 secret .*… is there$/,
  );
});
