import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Path, PathMatcher, parsePath } from '#names';
import {
  DnsSrvNamer,
  Hosts,
  type Namer,
  type NamerAnswer,
  RegistryNamer,
  RewriteNamer,
} from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { dnsError, settled, TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import sample from '../../vectors/dtab-sample.json' with { type: 'json' };

function watch(namer: Namer, rest: string) {
  const seen: string[] = [];
  const dispose = namer.lookup(parsePath(rest)).observe(answer => seen.push(show(answer)));
  return { seen, dispose };
}

function show(answer: NamerAnswer): string {
  if (answer.state === 'failed') return `failed ${answer.error.message}`;
  if (answer.state === 'pending') return 'pending';
  const tree = answer.value;
  if (tree.type !== 'leaf') return tree.type;
  if (tree.value.type === 'path') return tree.value.path.show;
  const { id, residual, replicas } = tree.value;
  const list = replicas.state === 'bound' ? replicas.replicas : [];
  return `${id} ${residual} ${replicas.state} ${list.map(each => `${each.address}*${each.weight}`).join(' ')}`;
}

suite('io.l5d.rewrite', () => {
  test('vectors: rewrite_namer', () => {
    for (const { pattern, name, lookup, tree } of sample.rewrite_namer) {
      const namer = new RewriteNamer({ prefix: Path.of('rewrite'), pattern, name });
      assert.equal(namer.prefix.show, '/#/rewrite');
      assert.deepEqual(watch(namer, lookup).seen, [tree === '~' ? 'neg' : tree]);
    }
  });

  test('a name that uses what is not captured, or is no path, is refused at once', () => {
    const make = (pattern: string, name: string) => () =>
      new RewriteNamer({ prefix: Path.of('r'), pattern, name });
    assert.throws(make('/{a}', '/x/{b}'), { code: 'NM_NAMER', message: /\{b\}, which the pattern/ });
    assert.throws(make('/{a}', 'x/{a}'), { code: 'NM_NAMER', message: /is no path/ });
    assert.throws(make('/{a', '/x'), { code: 'NM_NAME_SYNTAX' });
    assert.ok(PathMatcher.parse('/{a}'));
  });
});

suite('io.nodemesh.registry', () => {
  async function setUp() {
    const source = new TestSource();
    const registry = await registryOf([source]);
    const ports = [
      { name: 'http', port: 80, target: 8080, appProtocol: '' },
      { name: '', port: 81, target: 8181, appProtocol: '' },
    ];
    source.set([service('web', { ports })], [workload('w1', 'web', '10.0.0.1', { weight: 2 })]);
    return { source, namer: new RegistryNamer(registry), registry };
  }

  test('a port by name or number is one id; the rest is the residual', async () => {
    const { namer } = await setUp();
    assert.equal(namer.prefix.show, '/#/registry');
    const http = '/#/registry/default/web/http';
    assert.deepEqual(watch(namer, '/default/web/http').seen, [`${http} / bound 10.0.0.1:8080*2`]);
    assert.deepEqual(watch(namer, '/default/web/80/a/b').seen, [`${http} /a/b bound 10.0.0.1:8080*2`]);
    assert.deepEqual(watch(namer, '/default/web/81').seen, [
      '/#/registry/default/web/81 / bound 10.0.0.1:8181*2',
    ]);
    assert.deepEqual(namer.names().map(String), [http, '/#/registry/default/web/81']);
  });

  test('what does not exist has no answer; what nobody serves is bound to nobody', async () => {
    const { namer, source } = await setUp();
    for (const rest of [
      '/',
      '/default',
      '/default/web',
      '/default/web/grpc',
      '/default/web/8080',
      '/other/web/80',
    ])
      assert.deepEqual(watch(namer, rest).seen, ['neg'], rest);
    const { seen, dispose } = watch(namer, '/default/web/http');
    source.set([service('web')], []);
    source.set([], []);
    source.set([service('web')], [workload('w', 'web', '10.0.0.2')]);
    const id = '/#/registry/default/web/http /';
    assert.deepEqual(seen.slice(1), [`${id} bound `, 'neg', `${id} bound 10.0.0.2:8080*1`]);
    dispose();
  });
});

suite('io.l5d.dnssrv', () => {
  function setUp() {
    const [clock, resolver] = [new FakeClock(), new TestResolver()];
    const namer = new DnsSrvNamer({ clock, resolver, hosts: new Hosts({ resolver, clock }) });
    return { clock, resolver, namer };
  }
  const record = (name: string, port: number, more = {}) => ({ name, port, priority: 1, weight: 0, ...more });

  test('hosts and ports of the best priority, weighted', async () => {
    const { resolver, namer } = setUp();
    resolver.records.set('_http._tcp.web', [
      record('b', 81, { weight: 30 }),
      record('a', 80, { weight: 10 }),
      record('c', 82),
      record('spare', 90, { priority: 2, weight: 5 }),
    ]);
    for (const [i, host] of ['a', 'b', 'c'].entries())
      resolver.hosts.set(host, { addresses: [`10.0.0.${i + 1}`], ttlMs: 0 });
    const { seen } = watch(namer, '/_http._tcp.web/rest');
    await settled();
    assert.deepEqual(
      seen.at(-1),
      '/#/io.l5d.dnssrv/_http._tcp.web /rest bound 10.0.0.1:80*10 10.0.0.2:81*30 10.0.0.3:82*0.1',
    );
    assert.equal(seen[0], 'pending');
  });

  test('asked for every 5 s; failures keep what was known, a missing name has no answer', async () => {
    const { clock, resolver, namer } = setUp();
    const { seen } = watch(namer, '/web');
    await settled();
    assert.equal(seen.at(-1), 'neg');
    resolver.hosts.set('a', { addresses: ['10.0.0.1'], ttlMs: 0 });
    resolver.records.set('web', [record('a', 80)]);
    clock.advance(5_000);
    await settled();
    assert.equal(seen.at(-1), '/#/io.l5d.dnssrv/web / bound 10.0.0.1:80*1');
    resolver.records.set('web', dnsError('ESERVFAIL'));
    clock.advance(5_000);
    await settled();
    assert.equal(seen.at(-1), '/#/io.l5d.dnssrv/web / bound 10.0.0.1:80*1');
    resolver.records.set('broken', dnsError('ESERVFAIL'));
    const broken = watch(namer, '/broken');
    await settled();
    assert.equal(broken.seen.at(-1), "failed the SRV records of broken can't be read: query ESERVFAIL");
    assert.deepEqual(watch(namer, '/').seen, ['neg']);
  });

  test('a host that can not be resolved does not take the others with it', async () => {
    const { resolver, namer } = setUp();
    resolver.records.set('web', [record('a', 80), record('gone', 80)]);
    resolver.hosts.set('a', { addresses: ['10.0.0.1'], ttlMs: 0 });
    const { seen } = watch(namer, '/web');
    await settled();
    assert.equal(seen.at(-1), '/#/io.l5d.dnssrv/web / bound 10.0.0.1:80*1');
  });
});
