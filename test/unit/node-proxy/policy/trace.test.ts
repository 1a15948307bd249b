import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readTraceparent, traceOf } from '../../../../node-proxy/policy/trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const of = (headers: Record<string, string>) => traceOf(name => headers[name]);

describe('a traceparent', () => {
  it('has a trace, a span and a decision', () => {
    assert.deepEqual(readTraceparent(`00-${TRACE}-${SPAN}-01`), {
      traceId: TRACE,
      spanId: SPAN,
      sampled: true,
    });
    assert.equal(readTraceparent(`00-${TRACE}-${SPAN}-00`)?.sampled, false);
    assert.equal(readTraceparent(`00-${TRACE}-${SPAN}-03`)?.sampled, true);
    assert.equal(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes-later`)?.sampled, true);
  });

  for (const text of [
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01x`,
    `cc-${TRACE}-${SPAN}-01x`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}g-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ]) {
    it(`is none: '${text}'`, () => assert.equal(readTraceparent(text), undefined));
  }

  it('of anything is never thrown at', () => {
    fc.assert(fc.property(fc.string(), text => void readTraceparent(text)));
  });
});

describe('the trace of a request', () => {
  it('is read from B3 in one header', () => {
    assert.deepEqual(of({ b3: `${TRACE}-${SPAN}-1-${SPAN}` }), {
      traceId: TRACE,
      spanId: SPAN,
      sampled: true,
    });
    assert.equal(of({ b3: `${TRACE}-${SPAN}-d` })?.sampled, true);
    assert.equal(of({ b3: `${TRACE}-${SPAN}-0` })?.sampled, false);
    assert.equal(of({ b3: `${TRACE}-${SPAN}` })?.sampled, undefined);
    assert.equal(of({ b3: `${SPAN}-${SPAN}-1` })?.traceId, SPAN.padStart(32, '0'));
    for (const b3 of ['0', '1', 'd', '', `${TRACE}-${SPAN}-2`, `${TRACE}-1`, `${'0'.repeat(32)}-${SPAN}-1`])
      assert.equal(of({ b3 }), undefined, b3);
  });

  it('is read from B3 in several headers', () => {
    const several = { 'x-b3-traceid': TRACE.toUpperCase(), 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' };
    assert.deepEqual(of(several), { traceId: TRACE, spanId: SPAN, sampled: true });
    assert.equal(of({ ...several, 'x-b3-sampled': 'false' })?.sampled, false);
    assert.equal(of({ ...several, 'x-b3-sampled': '0', 'x-b3-flags': '1' })?.sampled, true);
    assert.equal(of({ 'x-b3-traceid': TRACE }), undefined);
    assert.equal(of({ ...several, 'x-b3-spanid': 'x' }), undefined);
  });

  it('is W3C where there are both, B3 where that is malformed', () => {
    const traceparent = `00-${TRACE}-${SPAN}-01`;
    const b3 = `${SPAN}-${SPAN}-0`;
    assert.equal(of({ traceparent, b3 })?.traceId, TRACE);
    assert.equal(of({ traceparent: 'nonsense', b3 })?.sampled, false);
    assert.equal(of({}), undefined);
  });
});
