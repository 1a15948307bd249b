import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { it } from 'node:test';
import { resetSocket } from '../../../../node-proxy/tunnel/relay/side.ts';

it('a reset after our own half-close closes the socket (its handle used to stay open for ever)', async () => {
  const server = createServer(socket => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client: Socket = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  await once(client, 'connect');
  client.end();
  const closed = once(client, 'close');
  resetSocket(client);
  await closed;
  assert.equal(client.destroyed, true);
  // Resolves only when the other side's socket is gone too.
  await new Promise(resolve => server.close(resolve));
});
