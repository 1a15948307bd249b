/** HTTP/1.1 through the client's node, as clients use it: what comes back, byte for byte, and in which order. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { ok, reply } from '../../../lib/http-policy/app.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

describe('connections', () => {
  it('are kept on both sides for the next request', async () => {
    const app = await echoApp();
    const { client, hop } = await stageOf([app]);
    for (const path of ['/a', '/b', '/c']) {
      client.send(get(path));
      await client.until(({ text }) => text.endsWith(`GET ${path} `));
    }
    assert.equal(app.connections.length, 1);
    assert.equal(hop.entries.length, 3);
    assert.deepEqual(
      hop.entries.map(({ status, reason, attempts }) => [status, reason, attempts]),
      Array(3).fill([200, '', 1]),
    );
  });

  it('are closed after a request that says so, and the application never hears of it', async () => {
    const app = await echoApp();
    const { client, port } = await stageOf([app]);
    client.send(get('/a', 'Connection: close'));
    const text = await client.over();
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.match(text, /\r\nconnection: close\r\n/i);
    client.end();
    const again = (await clientOf(port)).send(get('/b'));
    await again.response();
    assert.equal(app.connections.length, 1);
    assert.equal(app.requests[0]?.header('connection'), undefined);
  });

  it('answer a client that has half-closed after its last request', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send(get('/a') + get('/b') + post('/c', 'x')).end();
    const text = await client.over();
    assert.deepEqual(
      app.requests.map(({ target }) => target),
      ['/a', '/b', '/c'],
    );
    assert.equal(text.split('HTTP/1.1 200').length - 1, 3);
    await client.until(({ closed }) => closed);
    assert.equal(client.error, undefined);
  });
});

describe('node:http at both ends', () => {
  it('streams bodies both ways over connections that are kept', async () => {
    const server = createServer((asked, answer) => {
      if (asked.url === '/stream') asked.pipe(answer);
      else asked.resume().on('end', () => answer.end(`${asked.method} ${asked.url}`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened({ close: () => server.close() });
    let connections = 0;
    server.on('connection', () => void (connections += 1));
    const { port } = await stageOf([], { replicas: [`127.0.0.1:${(server.address() as AddressInfo).port}`] });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    opened({ close: () => agent.destroy() });
    const ask = async (method: string, path: string, body?: Buffer) => {
      const asked = httpRequest({ port, host: '127.0.0.1', agent, method, path });
      asked.end(body);
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      return Buffer.concat(parts).toString('latin1');
    };
    const large = Buffer.alloc(300_000, 'z');
    const jobs = Array.from({ length: 80 }, async (_, i) => {
      if (i % 8 === 0) return assert.equal((await ask('POST', '/stream', large)).length, large.length);
      if (i % 2 === 0) return assert.equal(await ask('PUT', `/${i}`, Buffer.from('small')), `PUT /${i}`);
      return assert.equal(await ask('GET', `/${i}`), `GET /${i}`);
    });
    await Promise.all(jobs);
    assert.ok(connections <= 16, `${connections} connections`);
  });
});

describe('pipelining', () => {
  it('answers in order, one at a time', async () => {
    let most = 0;
    let underWay = 0;
    const app = await appOf({
      request: ({ target, connection }) => {
        underWay += 1;
        most = Math.max(most, underWay);
        setImmediate(() => {
          underWay -= 1;
          connection.send(ok(target));
        });
      },
    });
    const { client } = await stageOf([app]);
    const paths = Array.from({ length: 1_000 }, (_, i) => `/${i}`);
    client.send(paths.map(path => get(path)).join(''));
    await client.until(({ text }) => text.endsWith('/999'));
    const responses = await client.responses(paths.length);
    assert.deepEqual(
      responses.map(({ payload }) => payload),
      paths,
    );
    assert.equal(most, 1);
    assert.equal(app.connections.length, 1);
  });

  it('keeps bodies with their requests, however the bytes are cut', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    const chunked = `${request('POST', '/b', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
    const all = post('/a', 'xyz') + chunked + get('/c') + post('/d', '12345');
    for (const byte of all) client.send(byte);
    const responses = await client.responses(4);
    assert.deepEqual(
      responses.map(({ payload }) => payload),
      ['POST /a xyz', 'POST /b abcde', 'GET /c ', 'POST /d 12345'],
    );
  });

  it('after a refused request: those before it are answered, those behind it never reach anybody', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send(`${get('/a')}GET /b HTTP/1.1\r\nHost: web\r\nHost: web\r\n\r\n${get('/c')}`);
    const text = await client.over();
    assert.match(text, /GET \/a HTTP\/1\.1 400 /);
    assert.deepEqual(
      app.requests.map(({ target }) => target),
      ['/a'],
    );
  });
});

describe('bodies', () => {
  it('go through in chunks as they came, both ways, trailers included', async () => {
    const app = await appOf({
      request: ({ connection }) =>
        connection.send(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n',
        ),
    });
    let raw = '';
    app.behaviour.connected = ({ socket }) => socket.on('data', chunk => (raw += chunk.toString('latin1')));
    const { client } = await stageOf([app]);
    const body = '3\r\nabc\r\n1\r\nd\r\n0\r\nx-check: 1\r\n\r\n';
    client.send(request('PUT', '/up', ['Transfer-Encoding: chunked', 'Trailer: x-check']) + body);
    const response = await client.response();
    assert.equal(response.raw, '5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n');
    assert.ok(raw.endsWith(`\r\n\r\n${body}`), raw);
    assert.equal(app.requests[0]?.body, 'abcd');
  });

  it('of HEAD, 204 and 304 are none, whatever the head announces', async () => {
    const app = await appOf({
      request: ({ method, target, connection }) => {
        if (method === 'HEAD') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n');
        else if (target === '/304') connection.send('HTTP/1.1 304 Same\r\nContent-Length: 12\r\n\r\n');
        else connection.send('HTTP/1.1 204 None\r\n\r\n');
      },
    });
    const { client } = await stageOf([app]);
    const asked = request('HEAD', '/h') + get('/304') + get('/204') + request('HEAD', '/h2');
    client.send(asked);
    const responses = await client.responses(4, ['HEAD', 'GET', 'GET', 'HEAD']);
    assert.deepEqual(
      responses.map(({ start, raw }) => [start, raw]),
      [
        ['200', ''],
        ['304', ''],
        ['204', ''],
        ['200', ''],
      ],
    );
    assert.equal(app.connections.length, 1);
  });

  it('that end with the connection end the client’s too', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send('HTTP/1.1 200 OK\r\n\r\nall of it');
        setImmediate(() => connection.socket.end());
      },
    });
    const { client } = await stageOf([app]);
    client.send(get('/'));
    const text = await client.over();
    assert.match(text, /\r\nconnection: close\r\n\r\nall of it$/);
  });

  it('of 20 MB come whole', async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, 'x');
    const app = await appOf({
      request: ({ connection }) =>
        connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`).send(body),
    });
    const { client } = await stageOf([app]);
    client.send(get('/'));
    await client.until(({ bytes }) => bytes > body.length);
    await eventually(() => assert.ok(client.text.endsWith('x')));
    assert.equal(client.text.length - client.text.indexOf('\r\n\r\n') - 4, body.length);
  });
});

describe('Expect: 100-continue', () => {
  const asks = request('POST', '/up', ['Content-Length: 4', 'Expect: 100-continue']);

  it('is passed on, and so is the answer', async () => {
    const app = await appOf({
      head: ({ connection }) => connection.send('HTTP/1.1 100 Continue\r\n\r\n'),
      request: ({ body, connection }) => connection.send(ok(body)),
    });
    const { client } = await stageOf([app]);
    client.send(asks);
    await client.until(({ text }) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('body');
    assert.equal((await client.response()).payload, 'body');
    // The connection is good for another request on both sides.
    client.send(post('/more', 'x'));
    await client.responses(2);
    assert.equal(app.connections.length, 1);
  });

  it('is refused by a final answer of ours: the body is not waited for', async () => {
    const { client } = await stageOf([]);
    client.send(asks);
    const text = await client.over();
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /Connection: close/);
  });

  it('is refused by a final answer of the application', async () => {
    const app = await appOf({ head: ({ connection }) => connection.send(reply(417, 'no')) });
    const { client } = await stageOf([app]);
    client.send(asks);
    const text = await client.over();
    assert.match(text, /^HTTP\/1\.1 417 /);
    assert.match(text, /\r\nconnection: close\r\n/);
    await eventually(() => assert.equal(app.open, 0));
  });
});

describe('HTTP/1.0', () => {
  it('is answered and closed', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send('GET /old HTTP/1.0\r\n\r\n');
    const text = await client.over();
    assert.match(text, /^HTTP\/1\.1 200 [\s\S]*connection: close\r\n[\s\S]*GET \/old $/i);
    assert.match(app.requests[0]?.head ?? '', /^GET \/old HTTP\/1\.0\r\n/);
    assert.equal(app.requests[0]?.host, '10.96.0.1:80');
  });

  it('is kept alive where it asks, also after an answer of ours', async () => {
    const app = await echoApp();
    const routes = {
      matches: [{ action: 0, path: { kind: 'exact' as const, value: '/a' }, headers: [], query: [] }],
      actions: [
        {
          id: 'r',
          grpc: false,
          filters: [],
          backends: [{ weight: 1, name: '/svc/shop/a/http', filters: [] }],
        },
      ],
    };
    const { client } = await stageOf([app], {
      http: { routes },
      names: { '/svc/shop/a/http': [app.address] },
    });
    const ask = (path: string) => `GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`;
    client.send(ask('/nowhere'));
    assert.match((await client.response()).fields.join(), /connection,keep-alive/i);
    client.send(ask('/a'));
    const [, second] = await client.responses(2);
    assert.equal(second?.payload, 'GET /a ');
    assert.match(second?.fields.join() ?? '', /connection,keep-alive/i);
  });

  it('gets no chunks, even from an application that sends them regardless', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
        setImmediate(() => connection.send('6\r\n world\r\n0\r\n\r\n'));
      },
    });
    const { client } = await stageOf([app]);
    client.send('GET /old HTTP/1.0\r\n\r\n');
    const text = await client.over();
    assert.match(text, /\r\n\r\nhello world$/);
    assert.doesNotMatch(text, /transfer-encoding/i);
  });

  it('gets no interim responses', async () => {
    const app = await appOf({
      request: ({ connection }) => connection.send(`HTTP/1.1 103 Hints\r\nlink: </x>\r\n\r\n${ok('done')}`),
    });
    const { client } = await stageOf([app]);
    client.send('GET /old HTTP/1.0\r\n\r\n');
    assert.match(await client.over(), /^HTTP\/1\.1 200 /);
  });
});
