/** Endpoints that can't be reached or change: what speaks against them, and what requests to them are counted as. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { EdgeRequests } from '../../../../node-proxy/observe/requests/request-edge.ts';
import { ConnectionRefused } from '../../../../node-proxy/tunnel/index.ts';
import { get } from '../../../lib/http-policy/raw-client.ts';
import { closeAfterEach, echoApp, type Stage, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

function counted({ hop }: Stage): EdgeRequests[] {
  return hop.requests.take().filter(delta => delta.kind === 'edge');
}

it('requests are counted by how their connection is secured, not by how the first was', async () => {
  const stage = await stageOf([await echoApp()]);
  const { hop, client } = stage;
  hop.dialling = async () => {
    throw new ConnectionRefused('connect_failed', 'not yet there');
  };
  client.send(get('/'));
  assert.equal((await client.responses(1))[0]?.start, '502');
  assert.deepEqual(
    counted(stage).map(({ labels }) => labels.security),
    [''],
  );
  hop.dialling = async () => {};
  client.send(get('/'));
  assert.equal((await client.responses(2))[1]?.start, '200');
  assert.deepEqual(
    counted(stage).map(({ labels }) => labels.security),
    ['plaintext'],
  );
});

it('requests are counted for the workload that has the address now', async () => {
  const app = await echoApp();
  const stage = await stageOf([app]);
  const { hop, client } = stage;
  client.send(get('/'));
  assert.equal((await client.responses(1))[0]?.start, '200');
  assert.deepEqual(
    counted(stage).map(({ labels }) => labels.destinationWorkload),
    ['shop/http-0'],
  );
  hop.change({}, ['nowhere', app.address]);
  client.send(get('/'));
  assert.equal((await client.responses(2))[1]?.start, '200');
  assert.deepEqual(
    counted(stage).map(({ labels }) => labels.destinationWorkload),
    ['shop/http-1'],
  );
});

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
