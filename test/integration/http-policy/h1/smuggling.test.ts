/** Request smuggling, through both nodes: refused, the connection closed, and the application sees nothing of it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { App } from '../../../lib/http-policy/app.ts';
import { Door } from '../../../lib/http-policy/door.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get } from '../../../lib/http-policy/raw-client.ts';
import { clientOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n';
const LENGTH = SMUGGLED.length;

function posted(...lines: string[]): string {
  return `POST / HTTP/1.1\r\nHost: web\r\n${lines.join('\r\n')}\r\n\r\n`;
}

function chunked(...lines: string[]): string {
  return posted('Transfer-Encoding: chunked', ...lines);
}

const many = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i));

/** By what the issue calls them; each with what it is answered. */
const FORMS: Record<string, [number, string]> = {
  'Content-Length with Transfer-Encoding': [400, `${chunked('Content-Length: 4')}0\r\n\r\n${SMUGGLED}`],
  'Transfer-Encoding with Content-Length': [
    400,
    `${posted(`Content-Length: ${LENGTH}`, 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
  ],
  'two Content-Lengths': [400, `${posted('Content-Length: 0', `Content-Length: ${LENGTH}`)}${SMUGGLED}`],
  'two equal Content-Lengths': [400, `${posted('Content-Length: 1', 'Content-Length: 1')}x`],
  'a list of Content-Lengths': [400, `${posted('Content-Length: 0, 5')}${SMUGGLED}`],
  'a signed Content-Length': [400, `${posted('Content-Length: +5')}hello`],
  'a hexadecimal Content-Length': [400, `${posted('Content-Length: 0x5')}hello`],
  'an empty Content-Length': [400, posted('Content-Length:')],
  'a negative Content-Length': [400, posted('Content-Length: -1')],
  'a Content-Length out of range': [400, posted('Content-Length: 99999999999999999999')],
  'two Transfer-Encodings': [400, `${chunked('Transfer-Encoding: identity')}0\r\n\r\n${SMUGGLED}`],
  'two equal Transfer-Encodings': [400, `${chunked('Transfer-Encoding: chunked')}0\r\n\r\n`],
  'another coding': [501, `${posted('Transfer-Encoding: xchunked')}0\r\n\r\n${SMUGGLED}`],
  'a list of codings': [501, `${posted('Transfer-Encoding: gzip, chunked')}0\r\n\r\n${SMUGGLED}`],
  'a quoted coding': [501, `${posted('Transfer-Encoding: "chunked"')}0\r\n\r\n${SMUGGLED}`],
  'an empty coding': [501, `${posted('Transfer-Encoding:')}0\r\n\r\n${SMUGGLED}`],
  'a coding after a vertical tab': [400, `${posted('Transfer-Encoding: \x0bchunked')}0\r\n\r\n${SMUGGLED}`],
  'chunks in HTTP/1.0': [
    400,
    `POST / HTTP/1.0\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  'obs-fold': [400, `${posted('X-A: 1', ' Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`],
  'obs-fold of a framing field': [501, `${posted('Transfer-Encoding:', ' chunked')}0\r\n\r\n${SMUGGLED}`],
  'obs-fold of the first field': [400, `GET / HTTP/1.1\r\n Host: web\r\n\r\n${SMUGGLED}`],
  'a bare LF after the request line': [400, `GET / HTTP/1.1\nHost: web\r\n\r\n${SMUGGLED}`],
  'a bare LF after a field': [400, `GET / HTTP/1.1\r\nHost: web\nX: 1\r\n\r\n${SMUGGLED}`],
  'a bare LF at the end': [400, `GET / HTTP/1.1\r\nHost: web\r\n\n${SMUGGLED}`],
  'bare LFs only': [400, `GET / HTTP/1.1\nHost: web\n\n${SMUGGLED}`],
  'a bare CR in a value': [400, `GET / HTTP/1.1\r\nHost: web\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n`],
  'a bare CR as a line end': [400, `GET / HTTP/1.1\r\nHost: web\r\rX: 1\r\n\r\n`],
  'NUL in a value': [400, get('/', 'X: a\0b')],
  'a space before the colon': [400, `${posted('Transfer-Encoding : chunked')}0\r\n\r\n${SMUGGLED}`],
  'a tab before the colon': [400, `${posted('Content-Length\t: 5')}hello`],
  'a space in a name': [400, get('/', 'X A: 1')],
  'a name that is none': [400, get('/', 'X(A): 1')],
  'a line without a colon': [400, get('/', 'X')],
  'an empty name': [400, get('/', ': 1')],
  'framing written with underscores': [400, `${posted('Content_Length: 5')}hello`],
  'two Hosts': [400, `GET / HTTP/1.1\r\nHost: web\r\nHost: other\r\n\r\n`],
  'two equal Hosts': [400, `GET / HTTP/1.1\r\nHost: web\r\nHost: web\r\n\r\n`],
  'no Host': [400, 'GET / HTTP/1.1\r\n\r\n'],
  'an empty Host': [400, 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
  'a Host that is none': [400, 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  'a Host with a user': [400, 'GET / HTTP/1.1\r\nHost: x@web\r\n\r\n'],
  'a Host with a path': [400, 'GET / HTTP/1.1\r\nHost: web/x\r\n\r\n'],
  'a target that is another host': [400, 'GET http://other/ HTTP/1.1\r\nHost: web\r\n\r\n'],
  'a chunk extension': [400, `${chunked()}1;a=b\r\nx\r\n0\r\n\r\n`],
  'a chunk extension with a line break': [400, `${chunked()}1;\nx\r\n0\r\n\r\n`],
  'a chunk size with 0x': [400, `${chunked()}0x1\r\nx\r\n0\r\n\r\n`],
  'a chunk size with a sign': [400, `${chunked()}+1\r\nx\r\n0\r\n\r\n`],
  'a chunk size with white space': [400, `${chunked()}1 \r\nx\r\n0\r\n\r\n`],
  'an empty chunk size': [400, `${chunked()}\r\nx\r\n0\r\n\r\n`],
  'a chunk size out of range': [400, `${chunked()}fffffffffffffffff\r\nx\r\n`],
  'a chunk that is longer than it says': [400, `${chunked()}1\r\nxy\r\n0\r\n\r\n`],
  'a chunk that ends with LF': [400, `${chunked()}1\r\nx\n0\r\n\r\n`],
  'a chunk size that ends with LF': [400, `${chunked()}1\nx\r\n0\r\n\r\n`],
  'a trailer that frames': [400, `${chunked()}0\r\nContent-Length: 5\r\n\r\n`],
  'a trailer that is reserved': [400, `${chunked()}0\r\nl5d-dtab: x\r\n\r\n`],
  'a trailer with a bare LF': [400, `${chunked()}0\r\nX: 1\n\r\n`],
  'a trailer section that is too large': [
    400,
    `${chunked()}0\r\n${many(20, i => `x-${i}: ${'y'.repeat(1_000)}\r\n`).join('')}\r\n`,
  ],
  'a line that is too long': [414, `GET /${'x'.repeat(9_000)} HTTP/1.1\r\nHost: web\r\n\r\n`],
  'a field that is too long': [431, get('/', `X: ${'y'.repeat(9_000)}`)],
  'too many fields': [431, get('/', ...many(101, i => `x-${i}: 1`))],
  'a head that is too large': [431, get('/', ...many(20, i => `x-${i}: ${'y'.repeat(6_000)}`))],
  'HTTP/0.9': [400, 'GET /\r\n\r\n'],
  'an unknown version': [505, 'GET / HTTP/3.0\r\nHost: web\r\n\r\n'],
  'a version that is none': [400, 'GET / HTTP/1.1x\r\nHost: web\r\n\r\n'],
  'two spaces in the request line': [400, 'GET  / HTTP/1.1\r\nHost: web\r\n\r\n'],
  'a tab in the request line': [400, 'GET\t/ HTTP/1.1\r\nHost: web\r\n\r\n'],
  'a space before the method': [400, ' GET / HTTP/1.1\r\nHost: web\r\n\r\n'],
  CONNECT: [501, 'CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n'],
  'a fragment': [400, get('/#x')],
  'a backslash': [400, get('/\\..\\x')],
  'a Connection that hides Host': [400, get('/', 'Connection: host')],
  'a Connection that hides the length': [
    400,
    `${posted('Content-Length: 5', 'Connection: content-length')}hello`,
  ],
  'a Connection that hides an identity': [400, get('/', 'Connection: x-forwarded-client-cert')],
  'two empty lines before the request': [400, `\r\n\r\n${get('/')}`],
};

const nodes: Record<string, (app: App) => Promise<number>> = {
  'the client’s node': async app => (await stageOf([app])).port,
  'the server’s node': async app => opened(new Door({ port: app.port })).listen(),
};

for (const [node, open] of Object.entries(nodes))
  describe(`at ${node}`, () => {
    // One application for all: whatever reaches it, reaches it only once.
    it('is refused in every form, and the application sees nothing', async () => {
      const app = await echoApp();
      const port = await open(app);
      for (const [form, [status, bytes]] of Object.entries(FORMS)) {
        const client = await clientOf(port);
        client.send(bytes + SMUGGLED);
        const text = await client.over();
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), `${form}: ${text.slice(0, 200)}`);
        assert.equal(text.match(/HTTP\/1\.1 \d\d\d /g)?.length, 1, `${form}: answered more than once`);
        assert.match(text, /\r\nConnection: close\r\n/);
        client.end();
        await client.until(({ closed }) => closed);
      }
      assert.equal(app.bytes, 0, app.requests.map(({ head }) => head).join());
    });

    it('is refused byte by byte too: nothing complete ever reaches the application', async () => {
      const app = await echoApp();
      const port = await open(app);
      const forms = Object.entries(FORMS).filter(([, [, bytes]]) => bytes.length < 300);
      await Promise.all(
        forms.map(async ([form, [status, bytes]]) => {
          const client = await clientOf(port);
          for (const byte of bytes + SMUGGLED) client.send(byte);
          const text = await client.over();
          assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), `${form}: ${text.slice(0, 200)}`);
          client.end();
          await client.until(({ closed }) => closed);
        }),
      );
      // A connection that came too late for its request waits for another.
      await eventually(() => assert.ok(app.connections.every(({ closed, bytes }) => closed || bytes === 0)));
      for (const { head, done } of app.requests) assert.equal(done, false, head);
      assert.ok(app.connections.every(({ error, bytes }) => bytes === 0 || error === 'ECONNRESET'));
    });

    it('behind a request that is under way: that one is answered, and nothing else', async () => {
      const app = await echoApp();
      const port = await open(app);
      for (const [form, [, bytes]] of Object.entries(FORMS)) {
        const client = await clientOf(port);
        const before = app.requests.length;
        client.send(get('/good') + bytes + SMUGGLED);
        const text = await client.over();
        assert.match(text, /^HTTP\/1\.1 200 [\s\S]*GET \/good HTTP\/1\.1 [45]\d\d /, form);
        assert.deepEqual(
          app.requests.slice(before).map(({ target }) => target),
          ['/good'],
          form,
        );
        client.close();
      }
    });
  });
