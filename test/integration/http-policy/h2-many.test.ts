import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { afterEach, test } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS } from '#api';
import { GrpcClient, type GrpcServer, grpcServer } from '../../lib/http-policy/grpc.ts';
import { H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { Hop, type HopOptions } from '../../lib/http-policy/hop.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function portOf(options: HopOptions): Promise<number> {
  const hop = new Hop(options);
  ends.push(() => hop.close());
  return hop.listen();
}

async function named(name: string): Promise<GrpcServer> {
  const server = await grpcServer({ unary: (_, done) => done(null, Buffer.from(name)) });
  ends.push(() => server.close());
  return server;
}

function callOf(port: number): GrpcClient {
  const client = new GrpcClient(port);
  ends.push(() => client.close());
  return client;
}

async function spread(port: number): Promise<Map<string, number>> {
  const client = callOf(port);
  const seen = new Map<string, number>();
  const one = async () => {
    for (let i = 0; i < 30; i++) {
      const name = (await client.unary('x')).toString();
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 10 }, one));
  return seen;
}

test('300 calls over one connection: the same share for each of three servers', async () => {
  const servers = await Promise.all(['a', 'b', 'c'].map(named));
  const replicas = servers.map(({ address }) => address);
  const balancer = { kind: 'roundRobin' as const, decayMs: 10_000 };
  const even = await spread(await portOf({ replicas, client: { ...DEFAULT_CLIENT_SETTINGS, balancer } }));
  assert.deepEqual([...even].sort(), [
    ['a', 100],
    ['b', 100],
    ['c', 100],
  ]);
  const least = { kind: 'leastRequest' as const, decayMs: 10_000 };
  const fair = await spread(
    await portOf({ replicas, client: { ...DEFAULT_CLIENT_SETTINGS, balancer: least } }),
  );
  assert.equal(fair.size, 3);
  for (const [name, count] of fair) assert.ok(count > 50, `${name} got ${count}`);
});

test('GOAWAY again and again, graceful and not: no call fails', async () => {
  const server = await h2Server((stream, headers) => {
    served += 1;
    const { session } = stream;
    if (session !== undefined && served % 20 === 0) {
      // Everything after this one was not looked at.
      if (served % 40 === 0) session.goaway(constants.NGHTTP2_NO_ERROR, stream.id as number);
      else session.close();
    }
    if (headers[':method'] === 'POST') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    }
  });
  let served = 0;
  ends.push(() => server.close());
  const client = callOf(await portOf({ replicas: [server.address] }));
  const one = async (name: number) => {
    for (let i = 0; i < 25; i++) {
      const text = `${name}/${i}`;
      assert.equal((await client.unary(text)).toString(), text);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, i) => one(i)));
  assert.ok(served >= 400);
});

test('a connection that is full gets a sibling, one at a time; streams end where they began', async () => {
  const held: (() => void)[] = [];
  const all = Promise.withResolvers<void>();
  const server = await h2Server(
    stream => {
      held.push(() => stream.respond({ ':status': 200 }, { endStream: true }));
      if (held.length === 10) all.resolve();
    },
    { maxConcurrentStreams: 4 },
  );
  ends.push(() => server.close());
  const port = await portOf({ replicas: [server.address] });
  const client = new H2Client(port);
  ends.push(() => client.close());
  const answers = Array.from({ length: 10 }, () => client.ask({ ':path': '/' }));
  await all.promise;
  assert.equal(server.sessions.size, 3);
  for (const answer of held) answer();
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
});

test('the limit of connections is reached: requests wait for room on those that exist', async () => {
  const waiting: (() => void)[] = [];
  let most = 0;
  let asked = 0;
  const two = Promise.withResolvers<void>();
  const server = await h2Server(
    stream => {
      asked += 1;
      waiting.push(() => stream.respond({ ':status': 200 }, { endStream: true }));
      most = Math.max(most, waiting.length);
      if (asked === 2) two.resolve();
      if (asked > 2) waiting.shift()?.();
    },
    { maxConcurrentStreams: 2 },
  );
  ends.push(() => server.close());
  const limits = { ...DEFAULT_CLIENT_SETTINGS.limits, connections: 1 };
  const port = await portOf({ replicas: [server.address], client: { ...DEFAULT_CLIENT_SETTINGS, limits } });
  const client = new H2Client(port);
  ends.push(() => client.close());
  const answers = Array.from({ length: 6 }, () => client.ask({ ':path': '/' }));
  await two.promise;
  waiting.shift()?.();
  waiting.shift()?.();
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200]);
  assert.equal(server.sessions.size, 1);
  assert.equal(most, 2);
});

test('two clients of a pod share its connection to an endpoint, and one may go', async () => {
  const server = await named('shared');
  const hop = new Hop({ replicas: [server.address] });
  ends.push(() => hop.close());
  const port = await hop.listen();
  const first = callOf(port);
  const second = callOf(port);
  await first.unary('x');
  first.close();
  assert.equal((await second.unary('y')).toString(), 'shared');
  const [endpoints] = [new Set(hop.entries.map(({ endpoint }) => endpoint))];
  assert.deepEqual([...endpoints], [server.address]);
});

test('a connection that nobody uses is closed, and made anew when needed', async () => {
  const server = await h2Server(stream => stream.respond({ ':status': 200 }, { endStream: true }));
  ends.push(() => server.close());
  const hop = new Hop({ replicas: [server.address], limits: { upstreamIdleMs: 1 } });
  ends.push(() => hop.close());
  const client = new H2Client(await hop.listen());
  ends.push(() => client.close());
  assert.equal((await client.ask({ ':path': '/' })).status, 200);
  const closed = new Promise<void>(resolve => [...server.sessions][0]?.once('close', () => resolve()));
  const looks = setInterval(() => hop.policy.sweep(), 5);
  await closed;
  clearInterval(looks);
  assert.equal((await client.ask({ ':path': '/' })).status, 200);
});

test('a proxy that shuts down: GOAWAY, and what is under way finishes', async () => {
  const asked = Promise.withResolvers<() => void>();
  const server = await h2Server(stream =>
    asked.resolve(() => stream.respond({ ':status': 200 }, { endStream: true })),
  );
  ends.push(() => server.close());
  const hop = new Hop({ replicas: [server.address] });
  ends.push(() => hop.close());
  const client = new H2Client(await hop.listen());
  ends.push(() => client.close());
  const goaway = once(client.session, 'goaway');
  const closed = once(client.session, 'close');
  const answer = client.ask({ ':path': '/' });
  const respond = await asked.promise;
  Object.assign(hop.context, { draining: true });
  hop.policy.sweep();
  assert.equal((await goaway)[0], constants.NGHTTP2_NO_ERROR);
  respond();
  assert.equal((await answer).status, 200);
  await closed;
});

test('one connection for two servers: it goes to who is asked, where nobody uses it', async () => {
  const servers = await Promise.all(['a', 'b'].map(named));
  const port = await portOf({
    replicas: servers.map(({ address }) => address),
    client: {
      ...DEFAULT_CLIENT_SETTINGS,
      balancer: { kind: 'roundRobin', decayMs: 10_000 },
      limits: { ...DEFAULT_CLIENT_SETTINGS.limits, connections: 1 },
    },
  });
  const client = callOf(port);
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) seen.add((await client.unary('x')).toString());
  assert.deepEqual([...seen].sort(), ['a', 'b']);
});
