import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestBody } from '../../../../../node-proxy/policy/h2/request-body.ts';

class Client {
  credited = 0;
  consumed(bytes: number): void {
    this.credited += bytes;
  }
}

class Upstream {
  readonly chunks: Buffer[] = [];
  ended = 0;
  trailed: unknown;
  full = false;
  write(chunk: Buffer): boolean {
    this.chunks.push(Buffer.from(chunk));
    return !this.full;
  }
  end(): void {
    this.ended += 1;
  }
  trailers(fields: unknown): void {
    this.trailed = fields;
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

function bodyOf(keepBytes = -1, ephemeral = false) {
  const client = new Client();
  const plan = {
    keepBytes,
    tooLarge: () => {
      plan.keepBytes = -1;
      told += 1;
    },
  };
  let told = 0;
  const body = new RequestBody(client as never, { ephemeral } as never, plan);
  return { client, body, told: () => told };
}

test('what comes before there is a stream waits, without credit', () => {
  const { client, body } = bodyOf();
  body.data(Buffer.from('ab'));
  body.data(Buffer.from('cd'));
  body.end();
  assert.equal(client.credited, 0);
  const upstream = new Upstream();
  body.attach(upstream as never);
  assert.deepEqual([upstream.text, upstream.ended, client.credited], ['abcd', 1, 4]);
});

test('credit comes when the application has taken it', () => {
  const { client, body } = bodyOf();
  const upstream = new Upstream();
  body.attach(upstream as never);
  upstream.full = true;
  body.data(Buffer.from('abc'));
  assert.equal(client.credited, 0);
  upstream.full = false;
  body.drained();
  assert.equal(client.credited, 3);
  body.data(Buffer.from('d'));
  assert.equal(client.credited, 4);
});

test('another attempt gets all of it, and the trailers', () => {
  const { client, body } = bodyOf(100);
  const first = new Upstream();
  body.attach(first as never);
  body.data(Buffer.from('one '));
  body.detach();
  body.data(Buffer.from('two'));
  const second = new Upstream();
  body.attach(second as never);
  body.trailers([['x-end', '1']]);
  body.end();
  assert.equal(body.whole, true);
  assert.deepEqual([first.text, first.ended], ['one ', 0]);
  assert.deepEqual([second.text, second.ended, second.trailed], ['one two', 0, [['x-end', '1']]]);
  assert.equal(client.credited, 7);
});

test('a chunk that its wire overwrites is kept as it was', () => {
  const { body } = bodyOf(100, true);
  body.attach(new Upstream() as never);
  const chunk = Buffer.from('first');
  body.data(chunk);
  chunk.fill(0x78);
  body.detach();
  const second = new Upstream();
  body.attach(second as never);
  assert.equal(second.text, 'first');
});

test('beyond what the route wants kept, no attempt of the route follows; unseen, it is still sent again', () => {
  const { body, told } = bodyOf(10);
  body.attach(new Upstream() as never);
  body.data(Buffer.alloc(11));
  assert.deepEqual([told(), body.whole], [1, true]);
  body.data(Buffer.alloc(64 * 1024));
  assert.deepEqual([told(), body.whole], [1, false]);
});

test('a large one that waits for its first stream is sent, and then forgotten', () => {
  const { body, told } = bodyOf(10);
  for (let i = 0; i < 10; i++) body.data(Buffer.alloc(10_000));
  assert.deepEqual([told(), body.whole], [0, true]);
  const upstream = new Upstream();
  body.attach(upstream as never);
  assert.equal(upstream.text.length, 100_000);
  assert.deepEqual([told(), body.whole], [1, false]);
});

test('after the response has begun nothing is kept', () => {
  const { body } = bodyOf(100);
  body.attach(new Upstream() as never);
  body.settle();
  assert.equal(body.whole, true);
  body.data(Buffer.from('x'));
  body.settle();
  assert.equal(body.whole, false);
});

test('a stream that takes more while it is written to is ended once, with all in order', () => {
  const { body } = bodyOf(100);
  for (const piece of ['ab', 'cd', 'ef']) body.data(Buffer.from(piece));
  body.trailers([['x-sum', '6']]);
  body.end();
  const upstream = new Upstream();
  const { write, trailers } = upstream;
  let trailed = 0;
  upstream.write = chunk => {
    write.call(upstream, chunk);
    body.drained();
    return true;
  };
  upstream.trailers = fields => {
    trailed += 1;
    trailers.call(upstream, fields);
  };
  body.attach(upstream as never);
  assert.deepEqual([upstream.text, trailed], ['abcdef', 1]);
});
