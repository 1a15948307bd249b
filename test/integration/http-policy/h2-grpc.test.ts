import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { allOf, GrpcClient, grpcServer, status } from '../../lib/http-policy/grpc.ts';
import { Hop } from '../../lib/http-policy/hop.ts';

const server = await grpcServer({
  unary: (call, done) => {
    const text = call.request.toString();
    if (text.startsWith('fail ')) return done(status(Number(text.slice(5)), 'as asked') as never);
    done(null, Buffer.from(`<${text}>`));
  },
  clientStream: (call, done) => {
    const all: Buffer[] = [];
    call.on('data', (chunk: Buffer) => void all.push(chunk));
    call.on('end', () => done(null, Buffer.concat(all)));
  },
  serverStream: call => {
    for (const word of call.request.toString().split(' ')) call.write(Buffer.from(word));
    call.end();
  },
  bidi: call => {
    call.on('data', (chunk: Buffer) => call.write(Buffer.from(`<${chunk}>`)));
    call.on('end', () => call.end());
  },
});
const hop = new Hop({ replicas: [server.address] });
const client = new GrpcClient(await hop.listen());
after(async () => {
  client.close();
  await hop.close();
  server.close();
});

test('a unary call', async () => {
  assert.equal((await client.unary('hello')).toString(), '<hello>');
  const entry = hop.entries.at(-1);
  assert.equal(entry?.status, 200);
  assert.equal(entry?.grpcStatus, 0);
  assert.equal(entry?.labels.version, 'grpc');
});

test('a status that is an error comes as it was', async () => {
  const error = await client.failure('fail 5');
  assert.equal(error.code, 5);
  assert.equal(error.details, 'as asked');
});

test('a stream of requests', async () => {
  const { call, answer } = client.clientStream();
  for (const word of ['a', 'b', 'c']) call.write(Buffer.from(word));
  call.end();
  assert.equal((await answer).toString(), 'abc');
});

test('a stream of responses', async () => {
  const words = await allOf(client.serverStream('one two three'));
  assert.deepEqual(words.map(String), ['one', 'two', 'three']);
});

test('both at once: each message is answered before the next is sent', async () => {
  const call = client.bidi();
  for (const word of ['x', 'y', 'z']) {
    const answer = new Promise<Buffer>(resolve => call.once('data', resolve));
    call.write(Buffer.from(word));
    assert.equal((await answer).toString(), `<${word}>`);
  }
  const ended = new Promise(resolve => call.once('status', resolve));
  call.end();
  assert.equal(((await ended) as { code: number }).code, 0);
});
