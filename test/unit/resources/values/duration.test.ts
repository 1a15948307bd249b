import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseYaml } from '#base/config.ts';
import {
  MAX_DURATION_MS,
  parseDuration,
  readDuration,
} from '../../../../namerd/resources/values/duration.ts';

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

function read(text: string, minMs?: number): { ms: number | undefined; problems: string[] } {
  const { documents, problems } = parseYaml(text, 'f');
  const ms = readDuration(documents[0], minMs);
  return { ms, problems: problems.list.map(({ message }) => message) };
}

test('durations are those of the Gateway API', () => {
  const good: [string, number][] = [
    ['0s', 0],
    ['500ms', 500],
    ['1s500ms', 1_500],
    ['1h30m', 5_400_000],
    ['10s30m1h', 5_410_000],
    ['1s1s', 2_000],
    ['99999ms', 99_999],
    ['1h1m1s1ms', 3_661_001],
    ['00001s', 1_000],
  ];
  for (const [text, ms] of good) assert.equal(parseDuration(text), ms, text);
  const bad = [
    '',
    '1',
    's',
    '1.5s',
    '-1s',
    '+1s',
    '1 s',
    ' 1s',
    '1s ',
    '1S',
    '1us',
    '1d',
    '100000ms',
    '1ss',
    '1sm',
  ];
  for (const text of [...bad, '1h1m1s1ms1s', '1s\n', '١s', 'infinity'])
    assert.equal(parseDuration(text), undefined, text);
});

test('one to four parts in any order add up; anything else is none', () => {
  const part = fc.tuple(
    fc.nat(99_999),
    fc.constantFrom(...(Object.keys(UNIT_MS) as (keyof typeof UNIT_MS)[])),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), parts => {
      const text = parts.map(([count, unit]) => `${count}${unit}`).join('');
      const sum = parts.reduce((all, [count, unit]) => all + count * UNIT_MS[unit], 0);
      assert.equal(parseDuration(text), parts.length <= 4 ? sum : undefined);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0159hms .-+', 'ms') }), text => {
      const known = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text);
      assert.equal(parseDuration(text) !== undefined, known, text);
    }),
  );
});

test('what no timer can wait, and numbers without unit, are refused with a reason', () => {
  assert.deepEqual(read('596h'), { ms: 2_145_600_000, problems: [] });
  assert.ok(2_145_600_000 < MAX_DURATION_MS);
  const cases: [string, RegExp, number?][] = [
    ['597h', /'597h' is too long: at most 596h/],
    ['99999h99999h99999h99999h', /too long/],
    ['5', /'500ms' or '1m30s' is expected here, not '5'; a number needs its unit/],
    ['5 s', /is expected here, not '5 s'/],
    ['[1s]', /is expected here/],
    ['0s', /too short: at least 1ms/, 1],
  ];
  for (const [text, message, minMs] of cases) {
    const { ms, problems } = read(text, minMs);
    assert.equal(ms, undefined);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', message);
  }
});
