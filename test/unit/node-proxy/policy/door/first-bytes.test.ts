import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Protocol, protocolOf } from '../../../../../node-proxy/policy/door/first-bytes.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const detected = (text: string): Protocol => protocolOf(Buffer.from(text, 'latin1'), false);
const declared = (text: string): Protocol => protocolOf(Buffer.from(text, 'latin1'), true);

describe('the first bytes of a client', () => {
  it('are HTTP/2 by the whole preface only', () => {
    for (const protocolOfText of [detected, declared]) {
      for (let length = 1; length < PREFACE.length; length++)
        assert.equal(protocolOfText(PREFACE.slice(0, length)), 'more');
      assert.equal(protocolOfText(PREFACE), 'http2');
      assert.equal(protocolOfText(`${PREFACE}\0\0\0`), 'http2');
    }
    assert.equal(declared(`${PREFACE.slice(0, -1)}x`), 'http1');
  });

  it('are HTTP/1.1 by a first line that is one', () => {
    for (const line of [
      'GET / HTTP/1.1\r\n',
      'OPTIONS * HTTP/1.0\r\n',
      'M-SEARCH /x HTTP/1.1\r\n',
      'get / HTTP/1.1\n',
    ])
      assert.equal(detected(`${line}Host: x`), 'http1');
    const others = [
      'GET /\r\n',
      'GET / HTTP/2.0\r\n',
      'GET  / HTTP/1.1\r\n',
      'GET / HTTP/1.1 \r\n',
      '\r\n',
      'GET key\n',
    ];
    for (const line of others) assert.equal(detected(line), 'opaque', line);
  });

  it('are waited for only while they may become such a line', () => {
    const line = 'POST /a/b?c=d HTTP/1.1\r\n';
    for (let length = 1; length < line.length; length++)
      assert.equal(detected(line.slice(0, length)), 'more', line.slice(0, length));
    for (const text of [
      '\x16\x03\x01',
      'get ',
      'HELO  ',
      'GET / FTP',
      'GET / HTTP/2',
      'A'.repeat(33),
      '{',
      '\0',
    ])
      assert.equal(detected(text), 'opaque', text);
    assert.equal(detected(`GET /${'x'.repeat(8_192)}`), 'opaque');
  });

  it('are never waited for where HTTP is declared, but for the preface', () => {
    for (const text of ['G', '\r', '\x16', 'PX', 'x'.repeat(10_000)]) assert.equal(declared(text), 'http1');
    for (const text of ['P', 'PR', 'PRI *']) assert.equal(declared(text), 'more');
  });

  it('lead to the same in whatever pieces they come', () => {
    const text = fc.oneof(
      fc.constantFrom(PREFACE, 'GET / HTTP/1.1\r\n', 'PUT /x HTTP/1.0\r\n', 'PRINT / HTTP/1.1\r\n'),
      fc.string({ unit: fc.constantFrom(...'GETPRI */HP1.2\r\n x'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (whole, known) => {
        let told: Protocol = 'more';
        for (let length = 1; length <= whole.length && told === 'more'; length++)
          told = protocolOf(Buffer.from(whole.slice(0, length)), known);
        // A piece may tell earlier that it is nothing; it never tells something else.
        const all = protocolOf(Buffer.from(whole), known);
        if (whole !== '') assert.ok(told === all || (told === 'opaque' && !known), `${told} ${all}`);
      }),
    );
  });
});
