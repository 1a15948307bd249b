/** Fields that rules ask for, in the spellings in which an application could read them, or not read them at all. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Policy } from '#api';
import { Door } from '../../lib/http-policy/door.ts';
import { H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { get } from '../../lib/http-policy/raw-client.ts';
import { clientOf, closeAfterEach, echoApp, opened } from '../../lib/http-policy/stage.ts';

closeAfterEach();

const ADMIN: Policy = {
  id: 'shop/no-admin',
  action: 'DENY',
  rules: [{ from: [], to: [{ headers: [{ name: 'X-Is-Admin', values: ['yes'] }] }] }],
};
const TENANT: Policy = {
  id: 'shop/tenant',
  action: 'ALLOW',
  rules: [{ from: [], to: [{ headers: [{ name: 'x-tenant', values: ['a'] }] }] }],
};

it('a field that some applications take for one that a rule asks for is refused', async () => {
  const app = await echoApp();
  const door = opened(new Door({ port: app.port, policies: [ADMIN] }));
  const port = await door.listen();
  for (const name of ['X_Is_Admin', 'x-is_admin', 'X_IS-ADMIN']) {
    const client = await clientOf(port);
    client.send(get('/', `${name}: yes`));
    assert.match((await client.response()).payload, /^400 bad_request: .* x-is-admin/, name);
  }
  assert.equal(app.requests.length, 0);
  const client = await clientOf(port);
  client.send(get('/', 'X_Other: yes'));
  assert.equal((await client.response()).start, '200');
});

it('neither does HTTP/2 bring it in', async () => {
  const app = opened(
    await h2Server(stream => {
      stream.respond({ ':status': 200 });
      stream.end();
    }),
  );
  const door = opened(new Door({ port: Number(app.address.split(':')[1]), policies: [TENANT] }));
  const client = opened(new H2Client(await door.listen()));
  const ask = (headers: Record<string, string>) => client.ask({ ':path': '/', ...headers });
  assert.equal((await ask({ 'x-tenant': 'a', x_tenant: 'b' })).status, 400);
  assert.equal((await ask({ 'x-tenant': 'a' })).status, 200);
});

it('a field that the application will not get gives no access', async () => {
  const app = await echoApp();
  const door = opened(new Door({ port: app.port, policies: [TENANT] }));
  const port = await door.listen();
  for (const connection of ['x-tenant', 'keep-alive, X-Tenant', 'a,x-tenant ,b']) {
    const client = await clientOf(port);
    client.send(get('/', 'X-Tenant: a', `Connection: ${connection}`));
    assert.match(
      (await client.response()).payload,
      /^400 bad_request: Connection names x-tenant/,
      connection,
    );
  }
  assert.equal(app.requests.length, 0);
  const client = await clientOf(port);
  client.send(get('/', 'X-Tenant: a', 'Connection: keep-alive, x-tenants'));
  assert.equal((await client.response()).start, '200');
});

it('an upgrade that a rule asks for is judged as the application gets it, though Connection has to name it', async () => {
  const app = await echoApp();
  const websockets: Policy = {
    id: 'shop/websockets',
    action: 'ALLOW',
    rules: [{ from: [], to: [{ headers: [{ name: 'Upgrade', values: ['websocket'] }] }] }],
  };
  const door = opened(new Door({ port: app.port, policies: [websockets] }));
  const port = await door.listen();
  const ask = async (...fields: string[]) => {
    const client = await clientOf(port);
    client.send(get('/', ...fields));
    return (await client.response()).start;
  };
  assert.equal(await ask('Connection: Upgrade', 'Upgrade: websocket'), '200');
  assert.equal(await ask('Connection: keep-alive, Upgrade', 'Upgrade: websocket'), '200');
  const asked = app.requests.length;
  // Not asked for, or not passed on: the application would answer it as any other request.
  assert.equal(await ask('Upgrade: websocket'), '403');
  assert.equal(await ask('Connection: Upgrade', 'Upgrade: websocket', 'Upgrade: h2c'), '403');
  assert.equal(app.requests.length, asked);
});
