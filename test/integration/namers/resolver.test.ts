import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { firstWhere } from '#base/watch.ts';
import { Path } from '#names';
import { DnsSrvNamer, Hosts, serversResolver, systemResolver } from '../../../namerd/namers/index.ts';
import { DnsServer } from '../../lib/naming/dns-server.ts';

suite('asking a real name server', () => {
  let server: DnsServer;
  before(async () => {
    server = await DnsServer.start({
      'web.test': [
        { type: 'A', ttl: 7, data: '10.0.0.2' },
        { type: 'A', ttl: 9, data: '10.0.0.1' },
      ],
      'empty.test': [],
      '_http._tcp.web.test': [{ type: 'SRV', ttl: 5, data: '1 10 8080 web.test' }],
    });
  });
  after(() => server.close());

  test('addresses come sorted, with the shortest time to live', async () => {
    const resolver = serversResolver([server.address]);
    assert.deepEqual(await resolver.host('web.test'), { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 7_000 });
  });

  test('a name or a record that is not there is told apart from a failure', async () => {
    const resolver = serversResolver([server.address]);
    await assert.rejects(resolver.host('none.test'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.host('empty.test'), { code: 'ENODATA' });
    await assert.rejects(resolver.srv('web.test'), { code: 'ENODATA' });
  });

  test('io.l5d.dnssrv with dnsHosts', async () => {
    const resolver = serversResolver([server.address]);
    const hosts = new Hosts({ clock: systemClock, resolver });
    const namer = new DnsSrvNamer({ clock: systemClock, resolver, hosts });
    const answer = await firstWhere(
      namer.lookup(Path.of('_http._tcp.web.test')),
      ({ state }) => state !== 'pending',
      AbortSignal.timeout(8_000),
    );
    assert.ok(answer.state === 'ok' && answer.value.type === 'leaf' && answer.value.value.type === 'bound');
    const { replicas } = answer.value.value;
    assert.ok(replicas.state === 'bound');
    assert.deepEqual(
      replicas.replicas.map(({ address, weight }) => [address, weight]),
      [
        ['10.0.0.1:8080', 10],
        ['10.0.0.2:8080', 10],
      ],
    );
    namer.close();
    hosts.close();
  });

  test('the system knows localhost', async () => {
    const { addresses } = await systemResolver().host('localhost');
    assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'));
  });
});
