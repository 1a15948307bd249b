import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GrpcClient, grpcServer } from '../../lib/http-policy/grpc.ts';
import { answerOf, H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { Hop } from '../../lib/http-policy/hop.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function portTo(address: string): Promise<number> {
  const hop = new Hop({ replicas: [address] });
  ends.push(() => hop.close());
  return hop.listen();
}

const MB = 1024 * 1024;
const BLOCK = randomBytes(64 * 1024);
const BLOCKS = 512;

function sumOf(blocks: number): string {
  const hash = createHash('sha256');
  for (let i = 0; i < blocks; i++) hash.update(BLOCK);
  return hash.digest('hex');
}

/** Writes all blocks as fast as they are taken. */
async function pour(stream: NodeJS.WritableStream, progress: { bytes: number }): Promise<void> {
  for (let i = 0; i < BLOCKS; i++) {
    progress.bytes += BLOCK.length;
    if (!stream.write(BLOCK)) await once(stream, 'drain');
  }
  stream.end();
}

/** What has been taken by the time nothing more is. */
async function stuckAt(progress: { bytes: number }): Promise<number> {
  let seen = -1;
  let quiet = 0;
  while (quiet < 300) {
    quiet = seen === progress.bytes ? quiet + 1 : 0;
    seen = progress.bytes;
    await turn();
  }
  return seen;
}

test('messages of 4 MB, both ways at once', async () => {
  const server = await grpcServer({ unary: (call, done) => done(null, call.request) });
  ends.push(() => server.close());
  const client = new GrpcClient(await portTo(server.address));
  ends.push(() => client.close());
  const messages = Array.from({ length: 4 }, () => randomBytes(4 * MB));
  const answers = await Promise.all(messages.map(message => client.unary(message)));
  for (const [i, answer] of answers.entries())
    assert.ok(answer.equals(messages[i] as Buffer), `message ${i}`);
});

test('a client that does not read: the application is held back, then all of it comes', async () => {
  const progress = { bytes: 0 };
  const server = await h2Server(stream => {
    stream.respond({ ':status': 200 });
    void pour(stream, progress);
  });
  ends.push(() => server.close());
  const client = new H2Client(await portTo(server.address));
  ends.push(() => client.close());
  const stream = client.open({ ':path': '/' });
  await once(stream, 'response');
  const held = await stuckAt(progress);
  assert.ok(held < 4 * MB, `${held} bytes were taken for a client that reads nothing`);
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  assert.equal(hash.digest('hex'), sumOf(BLOCKS));
});

test('an application that does not read: the client is held back, and others on its connection are not', async () => {
  const read = Promise.withResolvers<void>();
  const sum = Promise.withResolvers<string>();
  const server = await h2Server(async (stream, headers) => {
    if (headers[':path'] === '/quick') return stream.respond({ ':status': 200 }, { endStream: true });
    await read.promise;
    const hash = createHash('sha256');
    for await (const chunk of stream) hash.update(chunk as Buffer);
    sum.resolve(hash.digest('hex'));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  ends.push(() => server.close());
  const client = new H2Client(await portTo(server.address));
  ends.push(() => client.close());
  const progress = { bytes: 0 };
  const stream = client.open({ ':method': 'POST', ':path': '/slow' }, false);
  const answer = answerOf(stream);
  void pour(stream, progress);
  const held = await stuckAt(progress);
  assert.ok(held < 4 * MB, `${held} bytes were taken for an application that reads nothing`);
  assert.equal((await client.ask({ ':path': '/quick' })).status, 200);
  read.resolve();
  assert.equal(await sum.promise, sumOf(BLOCKS));
  assert.equal((await answer).status, 200);
});

test('a small window of the client: everything comes in its order', async () => {
  const server = await h2Server(stream => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
    stream.end(BLOCK);
  });
  ends.push(() => server.close());
  const client = new H2Client(await portTo(server.address), { initialWindowSize: 100 });
  ends.push(() => client.close());
  const answer = await client.ask({ ':path': '/' });
  assert.ok(answer.body.equals(BLOCK));
  assert.equal(answer.trailers['x-end'], 'yes');
});
