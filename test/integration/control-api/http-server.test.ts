import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Cell } from '#base/watch.ts';
import { json } from '../../../namerd/serve/http/exchange.ts';
import type { Route } from '../../../namerd/serve/http/router.ts';
import { HttpServer } from '../../../namerd/serve/http/server.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { serve, streamed } from './control-server.ts';

const echo: Route = {
  pattern: '/echo/:name',
  handlers: { GET: ({ params }) => json(params), POST: async request => json(await request.text()) },
};

/** Sends bytes and returns all that comes back. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', chunk => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

test('what is no HTTP gets an answer and ends, and others are not disturbed', async t => {
  const { call, server } = await serve(t, [echo]);
  assert.match(await raw(server.port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(
    await raw(server.port, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  assert.match(
    await raw(server.port, 'GET /echo/%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400 /,
  );
  assert.equal((await call('GET /echo/fine')).body, '{"name":"fine"}\n');
});

test('bodies have a limit, and must be UTF-8', async t => {
  const { call } = await serve(t, [echo]);
  assert.equal((await call('POST /echo/x', { body: 'é' })).body, '"é"\n');
  const long = await call('POST /echo/x', { body: 'x'.repeat(4 * 1024 * 1024 + 1) });
  assert.equal(long.status, 413);
  const bytes = await call('POST /echo/x', { body: Buffer.from([0xff]) as never });
  assert.deepEqual([bytes.status, bytes.body], [400, 'the body is not UTF-8\n']);
});

test('a body without a length is limited too', async t => {
  const { server } = await serve(t, [echo]);
  const request = httpRequest({ port: server.port, host: '127.0.0.1', path: '/echo/x', method: 'POST' });
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  for (let i = 0; i < 5; i++) request.write(chunk);
  request.end();
  const [response] = await once(request, 'response');
  assert.equal(response.statusCode, 413);
  response.resume();
});

test('a page of another site changes nothing', async t => {
  const { call, url } = await serve(t, [echo]);
  const post = (origin: string) => call('POST /echo/x', { headers: { origin }, body: '' });
  assert.equal((await post('https://evil.example')).status, 403);
  assert.equal((await post('null')).status, 403);
  assert.equal((await post(url)).status, 200);
});

test('a foreign name that was made to lead here gets nothing, not even reads', async t => {
  const server = await HttpServer.listen({
    ip: '127.0.0.1',
    port: 0,
    routes: [echo],
    hosts: ['namerd.corp'],
  });
  t.after(() => server.close());
  const status = async (method: string, host: string) => {
    const head = `${method} /echo/x HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nContent-Length: 0\r\n`;
    const answer = await raw(server.port, `${head}Connection: close\r\n\r\n`);
    return answer.slice('HTTP/1.1 '.length).split(' ')[0];
  };
  const foreign = [
    'evil.example',
    'evil.example:4180',
    '127.0.0.1.evil.example',
    'localhost.',
    'x.localhost:1',
  ];
  for (const host of [
    ...foreign,
    '[evil]',
    '[::1',
    '::1',
    '127.0.0.1:80:80',
    '1',
    'localhost@evil',
    'a.namerd.corp',
  ])
    for (const method of ['GET', 'HEAD', 'POST'])
      assert.match((await status(method, host)) ?? '', /^4(21|00)$/, `${method} ${host}`);
  assert.equal(await status('POST', 'evil.example:4180'), '421');
  const own = ['127.0.0.1', '10.0.0.1:4180', '[::1]', '[2001:db8::1]:4180', 'localhost:1', 'LOCALHOST'];
  for (const host of [...own, 'namerd.corp', 'Namerd.Corp:4180'])
    for (const method of ['GET', 'POST'])
      assert.equal(await status(method, host), '200', `${method} ${host}`);
  const why = await raw(server.port, 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  assert.match(why, /does not go by the name "evil.example".*'hosts'/);
});

test('a handler that throws is a 500 that says nothing of the inside', async t => {
  const route: Route = {
    pattern: '/boom',
    handlers: {
      GET: () => {
        throw new Error('secret detail');
      },
    },
  };
  const { call } = await serve(t, [route]);
  const { status, body } = await call('GET /boom');
  assert.equal(status, 500);
  assert.doesNotMatch(body, /secret/);
});

test('literal segments go before names, and a slash at the end makes no difference', async t => {
  const named: Route = { pattern: '/a/:x', handlers: { GET: ({ params }) => json(params) } };
  const literal: Route = { pattern: '/a/b', handlers: { GET: () => json('literal') } };
  const { call } = await serve(t, [named, literal]);
  assert.equal((await call('GET /a/b')).body, '"literal"\n');
  assert.equal((await call('GET /a/c/')).body, '{"x":"c"}\n');
  assert.equal((await call('GET /a/%2F')).body, '{"x":"/"}\n');
  assert.equal((await call('GET /a')).status, 404);
  assert.equal((await call('GET /a//')).status, 404);
});

function stream(source: Cell<string>): Route {
  return {
    pattern: '/stream',
    handlers: { GET: () => ({ status: 200, lines: tell => source.observe(tell) }) },
  };
}

test('a silent stream beats, one that speaks does not', async t => {
  const clock = new FakeClock();
  const source = new Cell('one');
  const { url } = await serve(t, [stream(source)], clock);
  const lines = streamed(`${url}/stream`);
  assert.equal((await lines.next()).value, 'one');
  clock.advance(9_000);
  source.set('two');
  clock.advance(9_000);
  assert.equal((await lines.next()).value, 'two');
  clock.advance(6_000);
  assert.equal((await lines.next()).value, '');
  await lines.return(undefined);
});

test('a slow reader gets the newest state and costs no more than one, and is dropped when it takes nothing', async t => {
  const clock = new FakeClock();
  const big = (n: number) => `${n} ${'x'.repeat(256 * 1024)}`;
  const source = new Cell(big(0));
  const { server } = await serve(t, [stream(source)], clock);
  const socket = connect(server.port, '127.0.0.1');
  let bytes = 0;
  socket.write('GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(socket, 'readable');
  // Nothing is read: the kernel's buffers fill up, then the server holds one state back.
  for (let n = 1; n <= 200; n++) {
    source.set(big(n));
    if (n % 10 === 0) await new Promise(resolve => setImmediate(resolve));
  }
  const tail: string[] = [];
  const done = new Promise<void>(resolve => {
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      bytes += chunk.length;
      tail.push(chunk.slice(-300));
      if (/200 x/.test(chunk)) resolve();
    });
  });
  await done;
  assert.ok(bytes < 100 * 256 * 1024, `${bytes} bytes`);
  socket.pause();
  assert.equal(server.streams, 1);
  for (let n = 0; n < 100; n++) {
    source.set(big(n));
    await new Promise(resolve => setImmediate(resolve));
  }
  const closed = once(socket, 'close');
  clock.advance(70_000);
  socket.resume();
  await closed;
  assert.equal(server.streams, 0);
  assert.equal(source.observers, 0);
});

test('a client that goes is forgotten, and a server that stops ends its streams', async t => {
  const source = new Cell('one');
  const { url, server } = await serve(t, [stream(source)]);
  const gone = streamed(`${url}/stream`);
  await gone.next();
  await gone.return(undefined);
  const stays = streamed(`${url}/stream`);
  await stays.next();
  while (source.observers > 1) await new Promise(resolve => setImmediate(resolve));
  await server.close();
  assert.equal((await stays.next()).done, true);
  assert.equal(source.observers, 0);
});

test('a port that is taken is a named error', async t => {
  const { server } = await serve(t, []);
  await assert.rejects(HttpServer.listen({ ip: '127.0.0.1', port: server.port, routes: [] }), {
    code: 'NM_LISTEN',
  });
});
