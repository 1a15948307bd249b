/** Endpoints that can't be reached, for reasons of theirs and of ours. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectionRefused } from '../../../../node-proxy/tunnel/index.ts';
import { get } from '../../../lib/http-policy/raw-client.ts';
import { closeAfterEach, echoApp, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

it('what is not the fault of an endpoint does not speak against it', async () => {
  const app = await echoApp();
  const { client, hop } = await stageOf([app]);
  for (const reason of ['no_certificate', 'tunnel_gone', 'unenrolled'] as const) {
    hop.dialling = async () => {
      throw new ConnectionRefused(reason, 'not now');
    };
    const asked = client.text.split('HTTP/1.1 ').length - 1;
    client.send(get('/').repeat(5));
    await client.responses(asked + 5);
    assert.match(
      (await client.responses(asked + 5)).at(-1)?.payload ?? '',
      /^502 connect_failed: not now/,
      reason,
    );
  }
  hop.dialling = async () => {};
  client.send(get('/'));
  assert.equal((await client.responses(16)).at(-1)?.start, '200');
});

it('neither does what goes wrong in the proxy', async () => {
  const { client, hop } = await stageOf([await echoApp()]);
  hop.dialling = async () => {
    throw new TypeError('a mistake');
  };
  client.send(get('/').repeat(5));
  assert.match((await client.responses(5)).at(-1)?.payload ?? '', /^500 internal: the proxy failed/);
  hop.dialling = async () => {};
  client.send(get('/'));
  assert.equal((await client.responses(6)).at(-1)?.start, '200');
});
