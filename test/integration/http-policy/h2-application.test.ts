/** HTTP/2 connections to an application behind its gate: they are looked after while their caller stays. */

import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { FakeClock } from '../../lib/fake-clock.ts';
import { App } from '../../lib/http-policy/app.ts';
import { Door } from '../../lib/http-policy/door.ts';
import { H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { eventually } from '../../lib/http-policy/loopback.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function doorTo(address: string): Promise<{ door: Door; clock: FakeClock; client: H2Client }> {
  const clock = new FakeClock();
  const door = new Door({ port: Number(address.split(':')[1]), clock });
  ends.push(() => door.close());
  const client = new H2Client(await door.listen());
  ends.push(() => client.close());
  return { door, clock, client };
}

it('an application that never speaks HTTP/2 is given up in time', { timeout: 5_000 }, async () => {
  const app = await App.listen({});
  ends.push(() => app.close());
  const { door, clock, client } = await doorTo(app.address);
  const answer = client.ask({ ':path': '/' });
  await eventually(() => assert.equal(app.connections.length, 1));
  await eventually(() => assert.ok((app.connections[0]?.bytes ?? 0) > 0));
  for (let second = 0; second < 17; second++) {
    clock.advance(1_000);
    door.policy.sweep();
  }
  assert.equal((await answer).status, 502);
  assert.equal(door.lastEntry.reason, 'connect_failed');
});

it('a connection that the caller does not use is closed', { timeout: 5_000 }, async () => {
  const app = await h2Server(stream => {
    stream.respond({ ':status': 200 });
    stream.end('x');
  });
  ends.push(() => app.close());
  const { door, clock, client } = await doorTo(app.address);
  assert.equal((await client.ask({ ':path': '/' })).status, 200);
  for (let minute = 0; minute < 3; minute++) {
    clock.advance(60_000);
    door.policy.sweep();
  }
  await eventually(() => assert.equal(app.sessions.size, 0));
  assert.equal((await client.ask({ ':path': '/' })).status, 200);
  assert.equal(door.dialled, 2);
});
