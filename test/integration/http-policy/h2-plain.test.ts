import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { DEFAULT_SERVICE_SETTINGS } from '#api';
import { answerOf, bodyOf, H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { Hop } from '../../lib/http-policy/hop.ts';

let serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void = stream =>
  stream.respond({ ':status': 404 }, { endStream: true });
const server = await h2Server((stream, headers) => serve(stream, headers));
const hop = new Hop({ replicas: [server.address] });
const port = await hop.listen();
const client = new H2Client(port);
after(async () => {
  client.close();
  await hop.close();
  server.close();
});

const POST = { ':method': 'POST', ':path': '/' };

test('a request with a body, its answer, and one line about both', async () => {
  serve = async (stream, headers) => {
    const body = await bodyOf(stream);
    stream.respond({ ':status': 201, 'x-path': headers[':path'], 'x-seen': headers['x-mine'] });
    stream.end(`<${body}>`);
  };
  const answer = await client.ask({ ...POST, ':path': '/a/b?c=d', 'x-mine': 'yes' }, 'hello');
  assert.equal(answer.status, 201);
  assert.equal(answer.headers['x-path'], '/a/b?c=d');
  assert.equal(answer.headers['x-seen'], 'yes');
  assert.equal(answer.body.toString(), '<hello>');
  const entry = hop.entries.at(-1);
  assert.deepEqual(
    [entry?.method, entry?.path, entry?.status, entry?.requestBytes, entry?.responseBytes],
    ['POST', '/a/b?c=d', 201, 5, 7],
  );
  assert.equal(entry?.labels.version, 'http2');
});

test('trailers go both ways', async () => {
  serve = stream => {
    let trailers: IncomingHttpHeaders = {};
    stream.on('trailers', fields => {
      trailers = fields;
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42', 'x-asked': trailers['x-more'] }));
      stream.end('body');
    });
    stream.resume();
  };
  const stream = client.session.request(POST, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-more': 'this', 'l5d-dtab': '/a=>/b' }));
  stream.end('x');
  const answer = await answerOf(stream);
  assert.equal(answer.trailers['x-sum'], '42');
  assert.equal(answer.trailers['x-asked'], 'this');
  assert.equal(answer.trailers['l5d-dtab'], undefined);
});

test('interim responses come before the response', async () => {
  serve = stream => {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
    stream.respond({ ':status': 200 }, { endStream: true });
  };
  const answer = await client.ask({ ':path': '/' });
  assert.deepEqual(answer.interim, [103]);
  assert.equal(answer.status, 200);
});

test('100-continue is the application to say', async () => {
  serve = async stream => {
    stream.additionalHeaders({ ':status': 100 });
    const body = await bodyOf(stream);
    stream.respond({ ':status': 200 });
    stream.end(body);
  };
  const stream = client.open({ ...POST, expect: '100-continue' }, false);
  stream.once('continue', () => stream.end('now'));
  const answer = await answerOf(stream);
  assert.equal(answer.body.toString(), 'now');
});

test('HEAD has the length of what it leaves out', async () => {
  serve = stream => stream.respond({ ':status': 200, 'content-length': '1000' }, { endStream: true });
  const answer = await client.ask({ ':method': 'HEAD', ':path': '/' });
  assert.equal(answer.headers['content-length'], '1000');
  assert.equal(answer.code, 0);
});

test('fields that only the mesh may set are its own', async () => {
  let seen: IncomingHttpHeaders = {};
  serve = (stream, headers) => {
    seen = headers;
    stream.respond({ ':status': 200 }, { endStream: true });
  };
  await client.ask({
    ':path': '/',
    'l5d-dst-client': 'forged',
    'x-forwarded-client-cert': 'forged',
    x_forwarded_client_cert: 'forged',
    'l5d-ctx-trace': 'passed on',
    cookie: ['a=1', 'b=2'],
  });
  assert.equal(seen['l5d-dst-client'], '/#/registry/shop/web/http');
  assert.equal(seen['l5d-ctx-trace'], 'passed on');
  assert.equal(seen['x-forwarded-client-cert'], undefined);
  assert.equal(seen['x_forwarded_client_cert'], undefined);
  assert.equal(seen['cookie'], 'a=1; b=2');
});

test('a request that names two hosts, or none that is one, is not seen by the application', async () => {
  let seen = 0;
  serve = stream => {
    seen += 1;
    stream.respond({ ':status': 200 }, { endStream: true });
  };
  const two = await client.ask({ ':path': '/', ':authority': 'a.shop', host: 'b.shop' });
  assert.equal(two.code, constants.NGHTTP2_PROTOCOL_ERROR);
  const user = await client.ask({ ':path': '/', ':authority': 'a%2e.shop' });
  assert.equal(user.status, 400);
  const path = await client.ask({ ':path': '/a\\b' });
  assert.equal(path.status, 400);
  assert.match(path.body.toString(), /bad_target/);
  const connect = client.session.request({ ':method': 'CONNECT', ':authority': 'a.shop:80' });
  connect.on('error', () => {});
  assert.equal((await answerOf(connect)).status, 501);
  assert.equal(seen, 0);
});

test('what routes change is changed', async () => {
  let seen: IncomingHttpHeaders = {};
  serve = (stream, headers) => {
    seen = headers;
    stream.respond({ ':status': 200, 'x-inner': 'secret' }, { endStream: true });
  };
  const routed = new Hop({
    replicas: [server.address],
    names: { '/svc/shop/web/http': [server.address] },
    http: {
      routes: {
        matches: [
          { action: 0, path: { kind: 'prefix', value: '/old' }, headers: [], query: [] },
          { action: 1, path: { kind: 'prefix', value: '/away' }, headers: [], query: [] },
        ],
        actions: [
          {
            id: 'shop/r[0]',
            grpc: false,
            filters: [
              { kind: 'requestHeaders', set: [{ name: 'X-A', value: '1' }], add: [], remove: ['x-b'] },
              { kind: 'responseHeaders', set: [], add: [{ name: 'X-C', value: '3' }], remove: ['x-inner'] },
              { kind: 'rewrite', hostname: 'new.shop', path: { kind: 'prefix', value: '/new' } },
            ],
            backends: [{ weight: 1, name: '/svc/shop/web/http', filters: [] }],
          },
          {
            id: 'shop/r[1]',
            grpc: false,
            filters: [{ kind: 'redirect', hostname: 'else.where', status: 302 }],
            backends: [],
          },
        ],
      },
      settings: DEFAULT_SERVICE_SETTINGS,
    },
  });
  const other = new H2Client(await routed.listen());
  try {
    const answer = await other.ask({ ':path': '/old/x?q', 'x-b': '2' });
    assert.equal(seen[':path'], '/new/x?q');
    assert.equal(seen[':authority'], 'new.shop');
    assert.equal(seen['x-a'], '1');
    assert.equal(seen['x-b'], undefined);
    assert.equal(answer.headers['x-c'], '3');
    assert.equal(answer.headers['x-inner'], undefined);
    const redirect = await other.ask({ ':path': '/away/x' });
    assert.equal(redirect.status, 302);
    assert.match(String(redirect.headers.location), /^http:\/\/else\.where.*\/away\/x$/);
    assert.equal((await other.ask({ ':path': '/none' })).status, 404);
  } finally {
    other.close();
    await routed.close();
  }
});

test('an answer that comes before the end of the request is passed on, and so is the rest of the request', async () => {
  const received: string[] = [];
  const whole = Promise.withResolvers<void>();
  serve = stream => {
    stream.respond({ ':status': 200 });
    stream.end('early');
    stream.on('data', (chunk: Buffer) => void received.push(chunk.toString()));
    stream.on('end', () => whole.resolve());
  };
  const stream = client.open(POST, false);
  stream.write('a');
  const [answer] = await Promise.all([
    answerOf(stream),
    (async () => {
      for await (const _ of stream);
      stream.end('b');
    })(),
    whole.promise,
  ]);
  assert.equal(answer.code, 0);
  assert.equal(received.join(''), 'ab');
});

test('an application that speaks only HTTP/1 is named', async () => {
  const old = createServer((_, response) => response.end());
  await new Promise<void>(resolve => old.listen(0, '127.0.0.1', resolve));
  const wrong = new Hop({ replicas: [`127.0.0.1:${(old.address() as AddressInfo).port}`] });
  const other = new H2Client(await wrong.listen());
  try {
    const answer = await other.ask({ ':path': '/' });
    assert.equal(answer.status, 502);
    assert.match(answer.body.toString(), /bad_response: .*speaks HTTP\/1, not HTTP\/2/);
    assert.equal(wrong.entries.at(-1)?.reason, 'bad_response');
  } finally {
    other.close();
    await wrong.close();
    old.close();
    old.closeAllConnections();
  }
});
