import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timeOf, timestampOf, timestampProblem } from '../../../../namerd/resources/values/timestamp.ts';

test('dates of RFC 3339 are read, in any zone and with fractions', () => {
  const cases: [string, string][] = [
    ['2026-01-31T23:59:59Z', '2026-01-31T23:59:59.000Z'],
    ['2026-01-31t23:59:59z', '2026-01-31T23:59:59.000Z'],
    ['2026-01-31T23:59:59.123456789Z', '2026-01-31T23:59:59.123Z'],
    ['2026-02-01T01:29:59+01:30', '2026-01-31T23:59:59.000Z'],
    ['2024-02-29T00:00:00-00:00', '2024-02-29T00:00:00.000Z'],
  ];
  for (const [text, meant] of cases) {
    assert.equal(timestampProblem(text), undefined, text);
    assert.equal(new Date(timeOf(text)).toISOString(), meant);
  }
});

test('anything else is not', () => {
  for (const text of [
    '',
    'yesterday',
    '2026-01-31',
    '2026-01-31T23:59:59',
    '2026-01-31 23:59:59Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00+0100',
    '2026-01-01T00:00:00Z\n',
    '02026-01-01T00:00:00Z',
  ])
    assert.match(timestampProblem(text) ?? '', /is no date of the form/, text);
});

test('what is written for a moment reads back as its second', () => {
  const year = 365.25 * 86_400_000;
  fc.assert(
    fc.property(fc.integer({ min: -1_000 * year, max: 8_000 * year }), ms => {
      const text = timestampOf(ms);
      assert.equal(timestampProblem(text), undefined, text);
      assert.equal(timeOf(text), Math.floor(ms / 1_000) * 1_000);
    }),
  );
});
