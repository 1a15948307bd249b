/** The server's node: every request is judged, whatever its connection looks like, and nobody forges who he is. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Policy, TargetMatch } from '#api';
import { FakeClock } from '../../../lib/fake-clock.ts';
import { type App, ok } from '../../../lib/http-policy/app.ts';
import { CALLER, Door, type DoorOptions } from '../../../lib/http-policy/door.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, type RawClient, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

async function doorTo(
  app: Pick<App, 'port'>,
  options: Partial<DoorOptions> = {},
): Promise<{ door: Door; client: RawClient; port: number }> {
  const door = opened(new Door({ port: app.port, ...options }));
  const port = await door.listen();
  return { door, port, client: await clientOf(port) };
}

function allow(...to: TargetMatch[]): Policy {
  return { id: 'shop/open', action: 'ALLOW', rules: [{ from: [], to }] };
}

function deny(...to: TargetMatch[]): Policy {
  return { id: 'shop/shut', action: 'DENY', rules: [{ from: [], to }] };
}

describe('requests to a pod', () => {
  it('are judged one by one; 403 names the rule, and the connection goes on', async () => {
    const app = await echoApp();
    const { client, door } = await doorTo(app, {
      policies: [allow({ paths: ['/open*'] }), deny({ methods: ['DELETE'] })],
    });
    client.send(get('/open') + get('/secret?token=x') + request('DELETE', '/open') + get('/open/2'));
    const responses = await client.responses(4);
    assert.deepEqual(
      responses.map(({ start }) => start),
      ['200', '403', '403', '200'],
    );
    assert.match(responses[1]?.payload ?? '', /^403 policy: no-allow-matched refuses GET \/secret\n/);
    assert.match(responses[2]?.payload ?? '', /^403 policy: shop\/shut\[0\] refuses DELETE \/open\n/);
    assert.deepEqual(
      app.requests.map(({ target }) => target),
      ['/open', '/open/2'],
    );
    assert.deepEqual(
      door.entries.map(({ status, rule }) => [status, rule]),
      [
        [200, 'shop/open[0]'],
        [403, 'no-allow-matched'],
        [403, 'shop/shut[0]'],
        [200, 'shop/open[0]'],
      ],
    );
  });

  it('get past a rule by no spelling of a path', async () => {
    const app = await echoApp();
    const { port } = await doorTo(app, { policies: [deny({ paths: ['/admin*'] })] });
    const tricks = [
      '/admin',
      '/admin/x',
      '/%61dmin',
      '/ADMIN',
      '//admin',
      '/x/../admin',
      '/x/%2e%2e/admin',
      '/x/..%2fadmin',
      '/./admin',
      '/admin;x=1',
      '/;/admin',
      '/admin/',
      '/admin%00',
      '/\\admin',
      '/%5cadmin',
      '/x/..;/admin',
      '/%2561dmin/../admin',
    ];
    for (const trick of tricks) {
      const client = await clientOf(port);
      client.send(get(trick));
      await client.until(({ text, closed }) => closed || text.includes('\r\n\r\n'));
      assert.match(client.text, /^HTTP\/1\.1 4(03|00) /, trick);
    }
    assert.equal(app.requests.length, 0);
    const client = await clientOf(port);
    client.send(get('http://web/admin'));
    assert.equal((await client.response()).start, '403');
  });

  it('without Host are refused before anybody is asked; HTTP/1.0 may leave it out', async () => {
    const app = await echoApp();
    const { client, port } = await doorTo(app);
    client.send('GET / HTTP/1.1\r\n\r\n');
    assert.match(await client.over(), /^HTTP\/1\.1 400 /);
    const old = await clientOf(port);
    old.send('GET / HTTP/1.0\r\n\r\n');
    assert.match(await old.over(), /^HTTP\/1\.1 200 /);
    assert.equal(app.requests[0]?.host, `10.1.0.3:${app.port}`);
  });

  it('in plaintext are refused at once where only mesh traffic is taken', async () => {
    const app = await echoApp();
    const { client, door } = await doorTo(app, { identity: '', transport: { mode: 'strict', ports: {} } });
    await client.over();
    assert.equal(client.text, '');
    assert.equal(app.connections.length, 0);
    assert.match(String(door.refused[0]), /takes only mesh traffic/);
  });

  it('are limited, over all connections: 503, and room again afterwards', async () => {
    const waiting: (() => void)[] = [];
    const app = await appOf({
      request: ({ connection }) => void waiting.push(() => connection.send(ok('done'))),
    });
    const { port, door } = await doorTo(app, { http: { concurrentRequests: 2 } });
    const clients = await Promise.all([1, 2, 3].map(() => clientOf(port)));
    for (const client of clients) client.send(get('/'));
    await Promise.race(clients.map(client => client.response()));
    await app.until(() => waiting.length === 2);
    assert.equal(clients.filter(({ text }) => text.startsWith('HTTP/1.1 503')).length, 1);
    for (const answer of waiting.splice(0)) answer();
    for (const client of clients) await client.response();
    // A client that goes while it waits gives its place back too.
    clients[0]?.send(get('/'));
    clients[1]?.send(get('/'));
    await app.until(() => waiting.length === 2);
    clients[0]?.reset();
    clients[1]?.reset();
    await eventually(() => assert.equal(door.policy.connections, 1));
    clients[2]?.send(get('/'));
    await app.until(() => waiting.length === 3);
  });
});

describe('identity', () => {
  const forged = [
    'x-forwarded-client-cert: By=evil',
    'X-Forwarded-Client-Cert: By=evil',
    'x_forwarded_client_cert: By=evil',
    'X-Forwarded_Client-Cert: By=evil',
    'l5d-dst-service: evil',
    'L5D-Ctx-Dtab: /evil => /evil',
    'l5d_ctx_dtab: evil',
    'l5d-dtab: /evil => /evil',
    'l5d-anything: evil',
  ];

  it('is told to the application, and can’t be forged in any spelling', async () => {
    const app = await echoApp();
    const { client } = await doorTo(app, { identity: '' });
    client.send(get('/', ...forged));
    await client.response();
    assert.doesNotMatch(app.requests[0]?.head ?? '', /evil/);
    assert.equal(app.requests[0]?.header('x-forwarded-client-cert'), undefined);
    const mesh = await doorTo(app);
    mesh.client.send(get('/', ...forged));
    await mesh.client.response();
    const [, second] = app.requests;
    assert.equal(
      second?.header('x-forwarded-client-cert'),
      `By=spiffe://test.mesh/ns/shop/sa/app;URI=${CALLER}`,
    );
    assert.doesNotMatch(second?.head ?? '', /By=evil|l5d_|l5d-dtab|l5d-anything/);
  });

  it('is not believed of Linkerd’s headers where the caller’s node carried bytes', async () => {
    const app = await echoApp();
    const { client } = await doorTo(app, { requests: false });
    client.send(get('/', ...forged));
    await client.response();
    assert.doesNotMatch(app.requests[0]?.head ?? '', /evil/);
  });

  it('is kept from applications that do not ask for it', async () => {
    const app = await echoApp();
    const { client } = await doorTo(app, { http: { forwardClientIdentity: false } });
    client.send(get('/', 'x-forwarded-client-cert: By=evil'));
    await client.response();
    assert.equal(app.requests[0]?.header('x-forwarded-client-cert'), undefined);
  });

  it('brings Linkerd’s context with it: what the caller’s node has let pass', async () => {
    const app = await echoApp();
    const { client } = await doorTo(app);
    const passed = [
      'l5d-ctx-trace: abc',
      'l5d-ctx-deadline: 1 2',
      'l5d-ctx-dtab: /a => /b',
      'l5d-dst-service: /svc/a',
      'l5d-dst-client: /#/a',
      'l5d-reqid: r1',
      'l5d-sample: 0.5',
    ];
    client.send(get('/', ...passed));
    await client.response();
    for (const line of passed) {
      const [name = '', value] = line.split(': ');
      assert.equal(app.requests[0]?.header(name), value);
    }
  });
});

describe('a policy that changes', () => {
  it('counts for the next request on the same connection', async () => {
    const app = await echoApp();
    const { client, door } = await doorTo(app);
    client.send(get('/a'));
    await client.response();
    door.judgeBy([deny({ paths: ['/a'] })]);
    client.send(get('/a'));
    const [, second] = await client.responses(2);
    assert.equal(second?.start, '403');
    door.judgeBy([], { mode: 'strict', ports: {} });
    client.send(get('/a'));
    const [, , third] = await client.responses(3);
    assert.equal(third?.start, '200');
  });

  it('cuts a request under way that it refuses, also by what nobody asked about before', async () => {
    const app = await appOf({
      request: ({ connection }) =>
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nbeginning'),
    });
    const { client, door, port } = await doorTo(app);
    const other = await clientOf(port);
    client.send(get('/secret'));
    other.send(get('/fine'));
    await client.until(({ text }) => text.endsWith('beginning'));
    await other.until(({ text }) => text.endsWith('beginning'));
    door.judgeBy([deny({ paths: ['/secret'] })]);
    await client.until(({ closed }) => closed);
    assert.equal(client.error, 'ECONNRESET');
    assert.equal(door.lastEntry.reason, 'policy_changed');
    assert.equal(door.lastEntry.path, '/secret');
    await eventually(() => assert.equal(app.open, 1));
    assert.equal(other.closed, false);
  });

  it('leaves idle connections alone', async () => {
    const app = await echoApp();
    const { client, door } = await doorTo(app);
    client.send(get('/a'));
    await client.response();
    door.judgeBy([deny({})]);
    client.send(get('/b'));
    const [, second] = await client.responses(2);
    assert.equal(second?.start, '403');
  });
});

describe('the application’s connection', () => {
  it('belongs to one caller’s connection and goes with it', async () => {
    const app = await echoApp();
    const { port, door, client } = await doorTo(app);
    const other = await clientOf(port);
    for (const each of [client, other]) {
      each.send(get('/1') + get('/2'));
      await each.responses(2);
    }
    assert.equal(app.connections.length, 2);
    assert.deepEqual(
      app.connections.map(({ requests }) => requests.length),
      [2, 2],
    );
    client.close();
    other.reset();
    await eventually(() => assert.equal(app.open, 0));
    assert.equal(door.pod.openConnections, 0);
  });

  it('that the application closes before the first request is made anew', async () => {
    const app = await echoApp();
    const { client, door } = await doorTo(app);
    await app.until(({ connections }) => connections.length === 1);
    app.connections[0]?.socket.end();
    await eventually(() => assert.equal(app.open, 0));
    client.send(post('/late', 'x'));
    assert.equal((await client.response()).payload, 'POST /late x');
    assert.equal(door.dialled, 2);
  });

  it('that the application closes just when the first request comes is made anew for a GET', async () => {
    let first = true;
    const app = await appOf({
      head: ({ connection, target }) => {
        if (first) connection.socket.resetAndDestroy();
        else connection.send(ok(target));
        first = false;
      },
    });
    const { client } = await doorTo(app);
    client.send(get('/late'));
    assert.equal((await client.response()).payload, '/late');
    assert.equal(app.requests.length, 2);
  });

  it('that is still being made when the caller goes does not stay', async () => {
    const app = await appOf({
      request: ({ connection, target }) =>
        connection.send(
          `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\nConnection: close\r\n\r\n${target}`,
        ),
    });
    const { client, door } = await doorTo(app);
    client.send(get('/1'));
    await client.response();
    await eventually(() => assert.equal(app.open, 0));
    const dialling = Promise.withResolvers<void>();
    door.dialling = () => dialling.promise;
    client.send(get('/2'));
    await eventually(() => assert.equal(door.dialled, 2));
    client.reset();
    await eventually(() => assert.equal(door.policy.connections, 0));
    dialling.resolve();
    await app.until(({ connections }) => connections.length === 2);
    await eventually(() => assert.equal(app.open, 0));
    assert.equal(door.pod.openConnections, 0);
  });

  it('that can’t be made: the caller is refused before it speaks', async () => {
    const app = await echoApp();
    const { port } = app;
    await app.close();
    const { client, door } = await doorTo({ port });
    await client.over();
    assert.equal(door.refused.length, 1);
    assert.equal(door.pod.openConnections, 0);
  });
});

describe('a pod that leaves', () => {
  it('ends everything that is open, at once', async () => {
    const app = await appOf({ request: () => {} });
    const { client, door, port } = await doorTo(app);
    const silent = await clientOf(port);
    client.send(get('/'));
    await app.until(({ requests }) => requests.length === 1);
    await eventually(() => assert.equal(door.pod.openConnections, 2));
    door.pod.retire();
    await client.until(({ closed }) => closed);
    await silent.until(({ closed }) => closed);
    await eventually(() => assert.equal(app.open, 0));
    assert.equal(door.pod.openConnections, 0);
    assert.equal(door.policy.connections, 0);
  });
});

describe('a client’s pod that leaves', () => {
  it('leaves no connection behind that was still being made', async () => {
    const app = await echoApp();
    const { client, hop } = await stageOf([app]);
    const dialling = Promise.withResolvers<void>();
    hop.dialling = () => dialling.promise;
    client.send(get('/'));
    await eventually(() => assert.equal(hop.dialled, 1));
    hop.pod.retire();
    await client.until(({ closed }) => closed);
    dialling.resolve();
    await app.until(({ connections }) => connections.length === 1);
    await eventually(() => assert.equal(app.open, 0));
    assert.equal(app.requests.length, 0);
    assert.equal(hop.pod.openConnections, 0);
  });
});

describe('time', () => {
  it('without anything moving is not unlimited', async () => {
    const app = await appOf({ request: () => {} });
    const clock = new FakeClock();
    const { client, door } = await doorTo(app, { clock });
    client.send(get('/'));
    await app.until(({ requests }) => requests.length === 1);
    clock.advance(300_001);
    door.policy.sweep();
    assert.match((await client.response()).payload, /^504 timeout_idle/);
  });
});
