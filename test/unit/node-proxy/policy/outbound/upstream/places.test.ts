import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClientSettings, DEFAULT_CLIENT_SETTINGS } from '#api';
import {
  ClientTable,
  EndpointTable,
  type ServiceClient,
} from '../../../../../../node-proxy/balance/index.ts';
import type { H1Upstream } from '../../../../../../node-proxy/policy/h1/upstream-connection.ts';
import {
  type Granted,
  Places,
  type Tenant,
} from '../../../../../../node-proxy/policy/outbound/upstream/places.ts';

const REPLICA = {
  address: '10.0.0.1:80',
  workload: 'shop/web-0',
  node: '',
  identity: '',
  hbone: false,
  zone: '',
  weight: 1,
  terminating: false,
};

function limited(connections: number, pending = 10): ClientSettings {
  const { limits } = DEFAULT_CLIENT_SETTINGS;
  return { ...DEFAULT_CLIENT_SETTINGS, limits: { ...limits, connections, pending } };
}

function clientWith(settings: ClientSettings): ServiceClient {
  const now = () => 0;
  const table = new ClientTable(new EndpointTable(now), { now });
  const replicas = { state: 'bound' as const, replicas: [REPLICA] };
  table.compile({
    state: 'bound',
    tree: { type: 'leaf', id: 'x', residual: '', replicas, client: settings },
  });
  return [...table.values()][0] as ServiceClient;
}

const busy: Tenant = { unusedSinceMs: Number.POSITIVE_INFINITY, giveUpUnused: () => {} };
const always = () => true;

describe('places for connections', () => {
  it('are given to those who wait when there are more of them', async () => {
    const client = clientWith(limited(1));
    const places = Places.of(client);
    assert.equal(places.take(busy, always), 'place');
    const second = places.take(busy, always);
    assert.equal(client.pending, 1);
    client.update([REPLICA], limited(3));
    assert.equal(places.take(busy, always), 'place');
    assert.equal(await second, 'place');
    assert.deepEqual([client.connections, client.pending], [3, 0]);
  });

  it('are taken from the connection that was not used for longest', () => {
    const client = clientWith(limited(2));
    const places = Places.of(client);
    const given: string[] = [];
    const unused = (name: string, unusedSinceMs: number): Tenant => ({
      unusedSinceMs,
      giveUpUnused: () => {
        given.push(name);
        places.freed();
      },
    });
    for (const tenant of [unused('young', 20), unused('old', 10), busy]) places.join(tenant);
    assert.equal(places.take(busy, always), 'place');
    assert.equal(places.take(busy, always), 'place');
    assert.deepEqual(given, []);
    assert.equal(places.take(busy, always), 'place');
    assert.deepEqual([given, client.connections], [['old'], 2]);
  });

  it('are not kept for who has given up', async () => {
    const client = clientWith(limited(1, 2));
    const places = Places.of(client);
    places.take(busy, always);
    let wanted = true;
    const left = places.take(busy, () => wanted);
    const stays = places.take(busy, always);
    assert.throws(() => places.take(busy, always), /2 requests wait for a connection/);
    wanted = false;
    const last = places.take(busy, always);
    await assert.rejects(async () => left, /nobody waits/);
    places.freed();
    assert.equal(await stays, 'place');
    places.freed();
    assert.equal(await last, 'place');
    assert.deepEqual([client.connections, client.pending], [1, 0]);
  });

  it('pile up nothing of those who have given up, where any number may wait', async () => {
    const client = clientWith(limited(1, 0));
    const places = Places.of(client);
    places.take(busy, always);
    const stays = places.take(busy, always);
    for (let i = 0; i < 1_000; i++) {
      let wanted = true;
      const left = places.take(busy, () => wanted);
      wanted = false;
      (left as Promise<unknown>).catch(() => {});
    }
    assert.ok(client.pending < 200, `${client.pending} are waited for`);
    places.freed();
    assert.equal(await stays, 'place');
  });

  it('are not kept for who has given up when requests of HTTP/2 wait as well', async () => {
    const client = clientWith(limited(1, 1));
    const places = Places.of(client);
    places.take(busy, always);
    let wanted = true;
    const left = places.take(busy, () => wanted);
    assert.equal(places.wait(), false);
    wanted = false;
    assert.equal(places.wait(), true);
    await assert.rejects(async () => left, /nobody waits/);
  });

  it('come to a pod also while another one always has somebody for its own connection', async () => {
    const client = clientWith(limited(1, 10));
    const places = Places.of(client);
    const other: Tenant = { ...busy };
    let ended = 0;
    const connection = {
      destroy: () => {
        ended += 1;
        places.freed();
      },
    } as unknown as H1Upstream;
    places.take(busy, always);
    const next = places.take(busy, always);
    let served: Granted | undefined;
    (places.take(other, always) as Promise<Granted>).then(granted => {
      served = granted;
    });
    places.offer(connection, busy);
    assert.equal(await next, connection);
    for (let i = 0; i < 100 && served === undefined; i++) {
      places.take(busy, always);
      assert.equal(places.offer(connection, busy), true);
      await Promise.resolve();
    }
    assert.deepEqual([served, ended, client.connections], ['place', 1, 1]);
  });
});
