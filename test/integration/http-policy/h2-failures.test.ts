import assert from 'node:assert/strict';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { afterEach, test } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS, DEFAULT_SERVICE_SETTINGS, type ServiceSettings } from '#api';
import {
  GrpcClient,
  type GrpcServer,
  grpcServer,
  type Handlers,
  status,
} from '../../lib/http-policy/grpc.ts';
import { answerOf, H2Client, type H2Server, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { Hop, type HopOptions } from '../../lib/http-policy/hop.ts';
import { eventually } from '../../lib/http-policy/loopback.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function hopTo(
  replicas: string[],
  settings: Partial<ServiceSettings> = {},
  more: Partial<HopOptions> = {},
) {
  const hop = new Hop({
    replicas,
    http: { settings: { ...DEFAULT_SERVICE_SETTINGS, ...settings } },
    ...more,
  });
  ends.push(() => hop.close());
  return { hop, port: await hop.listen() };
}

async function grpc(handlers: Handlers): Promise<GrpcServer> {
  const server = await grpcServer(handlers);
  ends.push(() => server.close());
  return server;
}

async function plain(
  serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<H2Server> {
  const server = await h2Server(serve);
  ends.push(() => server.close());
  return server;
}

function callOf(port: number): GrpcClient {
  const client = new GrpcClient(port);
  ends.push(() => client.close());
  return client;
}

function askOf(port: number): H2Client {
  const client = new H2Client(port);
  ends.push(() => client.close());
  return client;
}

const { retries } = DEFAULT_SERVICE_SETTINGS;
const ROUND_ROBIN = {
  ...DEFAULT_CLIENT_SETTINGS,
  balancer: { kind: 'roundRobin' as const, decayMs: 10_000 },
};

test('UNAVAILABLE in trailers alone is tried again where gRPC codes say so, with the whole body', async () => {
  const bad = await grpc({ unary: (_, done) => done(status(14, 'not now') as never) });
  const good = await grpc({ unary: (call, done) => done(null, call.request) });
  const settings = { retries: { ...retries, grpcCodes: [14] } };
  const { hop, port } = await hopTo([bad.address, good.address], settings, { client: ROUND_ROBIN });
  const client = callOf(port);
  const message = 'x'.repeat(20_000);
  for (let i = 0; i < 6; i++) assert.equal((await client.unary(message)).toString(), message);
  const { retries: made, retrySuccesses } = hop.requests.service('shop/web');
  assert.ok(made > 0, 'nothing was tried again');
  assert.equal(retrySuccesses, made);
});

test('without such codes the status is passed on', async () => {
  const bad = await grpc({ unary: (_, done) => done(status(14, 'not now') as never) });
  const { hop, port } = await hopTo([bad.address]);
  const error = await callOf(port).failure('x');
  assert.equal(error.code, 14);
  assert.equal(error.details, 'not now');
  assert.equal(hop.requests.service('shop/web').retries, 0);
});

test('a status that is tried again, over plain HTTP/2: the answer that is not wanted is not seen', async () => {
  let asked = 0;
  const server = await plain(stream => {
    asked += 1;
    stream.respond({ ':status': asked === 1 ? 503 : 200 });
    stream.end(asked === 1 ? 'no' : 'yes');
  });
  const { port } = await hopTo([server.address], { retries: { ...retries, classifier: 'retryableRead5XX' } });
  const answer = await askOf(port).ask({ ':path': '/' });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), 'yes');
});

test('a request that was refused unseen is sent again, body and all, whatever the settings', async () => {
  let asked = 0;
  const server = await plain(stream => {
    asked += 1;
    if (asked === 1) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  const { hop, port } = await hopTo([server.address], { retries: { ...retries, attempts: 0 } });
  const answer = await askOf(port).ask({ ':method': 'POST', ':path': '/' }, 'the body');
  assert.equal(answer.body.toString(), 'the body');
  assert.equal(hop.entries.at(-1)?.attempts, 2);
});

test('a reset after the request was seen is answered 502, and not repeated', async () => {
  let asked = 0;
  const server = await plain(stream => {
    asked += 1;
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  });
  const { port } = await hopTo([server.address]);
  const answer = await askOf(port).ask({ ':method': 'POST', ':path': '/' }, 'x');
  assert.equal(answer.status, 502);
  assert.match(answer.body.toString(), /upstream_reset/);
  assert.equal(asked, 1);
});

test('a reset after the head breaks the stream to the client', async () => {
  const server = await plain(stream => {
    stream.respond({ ':status': 200 });
    stream.write('part', () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
  });
  const { hop, port } = await hopTo([server.address]);
  const answer = await askOf(port).ask({ ':path': '/' });
  assert.equal(answer.status, 200);
  // Not REFUSED_STREAM: that would say that nothing was done.
  assert.equal(answer.code, constants.NGHTTP2_INTERNAL_ERROR);
  assert.equal(hop.entries.at(-1)?.reason, 'upstream_reset');
});

test('an application that is killed: what it had not answered is UNAVAILABLE, then the others serve', async () => {
  const asked = Promise.withResolvers<void>();
  const dying = await grpc({ unary: () => asked.resolve() });
  const other = await grpc({ unary: (_, done) => done(null, Buffer.from('other')) });
  const { hop, port } = await hopTo([dying.address]);
  const client = callOf(port);
  const failure = client.failure('x');
  await asked.promise;
  dying.close();
  assert.equal((await failure).code, 14);
  hop.change({}, [other.address]);
  assert.equal((await client.unary('y')).toString(), 'other');
});

test('an application that is killed, where UNAVAILABLE is tried again: another one answers', async () => {
  const asked = Promise.withResolvers<void>();
  const dying = await grpc({ unary: () => asked.resolve() });
  const other = await grpc({ unary: (_, done) => done(null, Buffer.from('other')) });
  const settings = { retries: { ...retries, grpcCodes: [14] } };
  const { port } = await hopTo([dying.address, other.address], settings, { client: ROUND_ROBIN });
  const client = callOf(port);
  const answers = Promise.all([client.unary('x'), client.unary('y')]);
  await asked.promise;
  dying.close();
  assert.deepEqual((await answers).map(String), ['other', 'other']);
});

test('no replica that answers: UNAVAILABLE as trailers, with the reason', async () => {
  const gone = await grpc({});
  gone.close();
  const { port } = await hopTo([gone.address]);
  const client = callOf(port);
  const refused = await client.failure('x');
  assert.equal(refused.code, 14);
  assert.match(refused.details, /connect_failed/);
  const { port: empty } = await hopTo([]);
  const none = await callOf(empty).failure('x');
  assert.equal(none.code, 14);
  assert.match(none.details, /no_endpoints/);
});

test("the settings' time is up: DEADLINE_EXCEEDED, and the application hears of it", async () => {
  const cancelled = Promise.withResolvers<void>();
  const server = await grpc({ unary: call => void call.on('cancelled', () => cancelled.resolve()) });
  const timeouts = { ...DEFAULT_SERVICE_SETTINGS.timeouts, totalMs: 50 };
  const { hop, port } = await hopTo([server.address], { timeouts });
  const error = await callOf(port).failure('x');
  assert.equal(error.code, 4);
  assert.match(error.details, /timeout_total/);
  await cancelled.promise;
  assert.equal(hop.entries.at(-1)?.reason, 'timeout_total');
});

test("the client's own time is up: the application hears of it, and it counts against it", async () => {
  const server = await plain(() => {});
  const { hop, port } = await hopTo([server.address]);
  const answer = await askOf(port).ask(
    { ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', 'grpc-timeout': '110m' },
    'x',
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['grpc-status'], '4');
  assert.equal(hop.requests.service('shop/web').timeouts, 1);
  const error = await callOf(port).failure('x', 120);
  assert.equal(error.code, 4);
  await eventually(() => assert.equal(hop.entries.length, 2));
  assert.equal(hop.entries[1]?.reason, 'timeout_total');
});

test("a client's haste speaks against nobody: no endpoint is ejected for it", async () => {
  const server = await plain((stream, headers) => {
    if (headers[':path'] === '/') stream.respond({ ':status': 200 }, { endStream: true });
  });
  const breaker = { ...DEFAULT_CLIENT_SETTINGS.breaker, maxEjected: 1 };
  const client = { ...DEFAULT_CLIENT_SETTINGS, breaker };
  const { hop, port } = await hopTo([server.address], {}, { client });
  const ask = askOf(port);
  const hurried = { 'content-type': 'application/grpc', 'grpc-timeout': '1m' };
  for (let i = 0; i < 10; i++) {
    const { headers } = await ask.ask({ ':method': 'POST', ':path': '/a.B/C', ...hurried }, 'x');
    assert.equal(headers['grpc-status'], '4');
  }
  await eventually(() => assert.equal(hop.entries.length, 10));
  assert.equal(hop.requests.service('shop/web').timeouts, 0);
  assert.equal((await ask.ask({ ':path': '/' })).status, 200);
});

test('one attempt takes too long: another one is made', async () => {
  let asked = 0;
  const server = await plain(stream => {
    asked += 1;
    if (asked > 1) stream.respond({ ':status': 200 }, { endStream: true });
  });
  const timeouts = { ...DEFAULT_SERVICE_SETTINGS.timeouts, perTryMs: 40 };
  const { port } = await hopTo([server.address], {
    timeouts,
    retries: { ...retries, classifier: 'retryableRead5XX' },
  });
  assert.equal((await askOf(port).ask({ ':path': '/' })).status, 200);
  assert.equal(asked, 2);
});

test('nothing moves: the stream ends, the connection stays', async () => {
  const server = await plain((stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.write('once');
    if (headers[':path'] === '/quick') stream.end();
  });
  const timeouts = { ...DEFAULT_SERVICE_SETTINGS.timeouts, idleMs: 1 };
  const { hop, port } = await hopTo([server.address], { timeouts });
  const client = askOf(port);
  const stream = client.open({ ':path': '/' });
  const ended = answerOf(stream);
  await new Promise(resolve => stream.once('data', resolve));
  // The first look sees that something has moved, the next ones that nothing has.
  const looks = setInterval(() => hop.policy.sweep(), 5);
  const answer = await ended;
  clearInterval(looks);
  assert.equal(answer.code, constants.NGHTTP2_CANCEL);
  assert.equal(hop.entries.at(-1)?.reason, 'timeout_idle');
  assert.equal((await client.ask({ ':path': '/quick' })).status, 200);
});

test('a client that cancels: the application hears of it, and it counts against nobody', async () => {
  const asked = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const server = await grpc({
    bidi: call => {
      call.on('data', () => asked.resolve());
      call.on('cancelled', () => cancelled.resolve());
    },
  });
  const { hop, port } = await hopTo([server.address]);
  const call = callOf(port).bidi();
  call.on('error', () => {});
  call.write(Buffer.from('x'));
  await asked.promise;
  call.cancel();
  await cancelled.promise;
  assert.equal(hop.entries.at(-1)?.reason, 'client_gone');
});

test('a client that goes away: all its calls end at the application', async () => {
  const asked: ServerHttp2Stream[] = [];
  const three = Promise.withResolvers<void>();
  const server = await plain(stream => {
    asked.push(stream);
    if (asked.length === 3) three.resolve();
  });
  const { port } = await hopTo([server.address]);
  const client = askOf(port);
  for (let i = 0; i < 3; i++) client.open({ ':path': '/' });
  await three.promise;
  const closed = asked.map(stream => new Promise(resolve => stream.once('close', resolve)));
  client.close();
  await Promise.all(closed);
});

test('an application that cancels within a stream', async () => {
  const server = await grpc({
    bidi: call => {
      call.once('data', () => call.emit('error', status(10, 'enough')));
    },
  });
  const { hop, port } = await hopTo([server.address]);
  const call = callOf(port).bidi();
  const failed = new Promise<{ code: number; details: string }>(resolve =>
    call.once('error', resolve as never),
  );
  call.write(Buffer.from('x'));
  const { code, details } = await failed;
  assert.deepEqual([code, details], [10, 'enough']);
  await eventually(() => assert.equal(hop.entries.at(-1)?.grpcStatus, 10));
});

test('what waits for a connection is bounded, and its wait ends with its deadline', async () => {
  const silent = createServer(socket => void socket.on('error', () => {}));
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  ends.push(() => silent.close());
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const timeouts = { ...DEFAULT_SERVICE_SETTINGS.timeouts, totalMs: 60 };
  const limits = { ...DEFAULT_CLIENT_SETTINGS.limits, pending: 3 };
  const client = { ...DEFAULT_CLIENT_SETTINGS, limits };
  const { hop, port } = await hopTo([address], { timeouts }, { client });
  const asks = askOf(port);
  const answers = await Promise.all(Array.from({ length: 5 }, () => asks.ask({ ':path': '/' })));
  const reasons = hop.entries.map(({ reason }) => reason).sort();
  assert.deepEqual(reasons, ['overloaded', 'overloaded', 'timeout_total', 'timeout_total', 'timeout_total']);
  assert.deepEqual(answers.map(each => each.status).sort(), [503, 503, 504, 504, 504]);
});

test('a client that never says its SETTINGS is left after a while', async () => {
  const server = await plain(() => {});
  const { hop, port } = await hopTo([server.address], {}, { limits: { headMs: 1, lingerMs: 1 } });
  const socket = dial(port, '127.0.0.1');
  ends.push(() => socket.destroy());
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const looks = setInterval(() => hop.policy.sweep(), 5);
  socket.on('error', () => {});
  socket.resume();
  await new Promise(resolve => socket.once('close', resolve));
  clearInterval(looks);
  await eventually(() => assert.equal(hop.policy.connections, 0));
});
