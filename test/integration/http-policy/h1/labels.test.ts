/** What requests are counted as on their client's node, while their endpoint changes. */

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
