import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mapTree, parsePath, showTree } from '#names';
import { Hosts, type NamerAnswer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { dnsError, settled, TestResolver } from '../../lib/naming/dns.ts';
import sample from '../../vectors/dtab-sample.json' with { type: 'json' };

function setUp() {
  const [clock, resolver] = [new FakeClock(), new TestResolver()];
  const namers = new SystemNamers(new Hosts({ resolver, clock }));
  return { clock, resolver, namers };
}

/** The answers as they come. */
function watch(namers: SystemNamers, path: string) {
  const seen: NamerAnswer[] = [];
  const dispose = namers.lookup(parsePath(path)).observe(answer => seen.push(answer));
  return { seen, dispose, shown: () => seen.map(show) };
}

function show(answer: NamerAnswer): string {
  if (answer.state === 'failed') return `failed ${answer.error.code}`;
  if (answer.state === 'pending') return 'pending';
  const tree = answer.value;
  if (tree.type !== 'leaf' || tree.value.type !== 'bound') return tree.type;
  const { id, residual, replicas } = tree.value;
  const set =
    replicas.state === 'bound'
      ? replicas.replicas.map(({ address }) => address).join(' ')
      : `${replicas.state}${replicas.state === 'failed' ? ` ${replicas.message}` : ''}`;
  return `${id} ${residual} ${set}`;
}

test('vectors: system_namers', () => {
  const { namers } = setUp();
  for (const row of sample.system_namers) {
    const { seen, dispose } = watch(namers, row.lookup);
    const [answer] = seen;
    assert.ok(answer);
    if (row.result === 'error') assert.equal(answer.state, 'failed');
    else if (row.bound !== undefined) {
      const { id, residual } = row.bound;
      // The vectors call the address `localhost`, which is 127.0.0.1.
      const address = row.bound.addr.replace('localhost', '127.0.0.1');
      assert.equal(show(answer), `${id} ${residual} ${address}`);
    } else {
      assert.equal(answer.state, 'ok');
      const tree = mapTree(answer.value, leaf => {
        if (leaf.type !== 'path') assert.fail(`${row.lookup} is bound`);
        return leaf.path;
      });
      if (row.tree === undefined) assert.equal(tree.type, row.result, row.lookup);
      else assert.equal(showTree(tree), row.tree);
    }
    dispose();
  }
});

suite('addresses in names', () => {
  const cases: [path: string, shown: string][] = [
    ['/$/inet/10.0.0.1/80/rest/x', '/$/inet/10.0.0.1/80 /rest/x 10.0.0.1:80'],
    ['/$/inet/2001:DB8::1/80', '/$/inet/2001:DB8::1/80 / [2001:db8::1]:80'],
    ['/$/inet/[::1]/80', '/$/inet/[::1]/80 / [::1]:80'],
    ['/$/inet/8080/9090', '/$/inet/8080/9090 / pending'],
    ['/$/io.buoyant.rinet/80/10.0.0.1/x', '/$/io.buoyant.rinet/80/10.0.0.1 /x 10.0.0.1:80'],
    ['/$/io.buoyant.rinet/http/10.0.0.1', 'neg'],
    ['/$/inet', 'failed NM_NAMER'],
    ['/$/inet/host', 'failed NM_NAMER'],
    ['/$/inet/10.0.0.1/0', 'failed NM_NAMER'],
    ['/$/inet/10.0.0.1/65536', 'failed NM_NAMER'],
    ['/$/java.lang.Runtime/x', 'failed NM_UNKNOWN_NAMER'],
    ['/$/com.twitter.serverset/x', 'failed NM_UNKNOWN_NAMER'],
    ['/$/__proto__', 'failed NM_UNKNOWN_NAMER'],
  ];
  for (const [path, shown] of cases)
    test(path, () => {
      const { seen, dispose } = watch(setUp().namers, path);
      assert.equal(show(seen[0] as NamerAnswer), shown.endsWith('pending') ? 'pending' : shown);
      dispose();
    });

  test('the error for an unknown name says what there is', () => {
    const { seen } = watch(setUp().namers, '/$/some.Class/x');
    const [answer] = seen;
    assert.equal(answer?.state, 'failed');
    assert.equal(answer.error.message, "unknown namer '/$/some.Class' for path: /$/some.Class/x");
    assert.match(answer.error.next ?? '', /nil, fail, .*inet/);
  });
});

suite('names of hosts', () => {
  test('are asked for again after their time to live, at least 5 s', async () => {
    const { clock, resolver, namers } = setUp();
    resolver.hosts.set('web', { addresses: ['10.0.0.1'], ttlMs: 1_000 });
    const { shown, dispose } = watch(namers, '/$/inet/web/80');
    await settled();
    assert.deepEqual(shown(), ['pending', '/$/inet/web/80 / 10.0.0.1:80']);
    resolver.hosts.set('web', { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 60_000 });
    clock.advance(4_999);
    assert.equal(resolver.asked.length, 1);
    clock.advance(1);
    await settled();
    assert.equal(shown().at(-1), '/$/inet/web/80 / 10.0.0.1:80 10.0.0.2:80');
    clock.advance(59_999);
    assert.equal(resolver.asked.length, 2);
    clock.advance(1);
    await settled();
    assert.equal(resolver.asked.length, 3);
    assert.equal(shown().length, 3, 'the same answer is not told again');
    dispose();
    clock.advance(120_000);
    await settled();
    assert.equal(clock.timers, 0, 'nobody is asked when nobody watches');
  });

  test('keep the last good answer through failures, and through a denial or two', async () => {
    const { clock, resolver, namers } = setUp();
    resolver.hosts.set('web', { addresses: ['10.0.0.1'], ttlMs: 0 });
    const { shown } = watch(namers, '/$/inet/web/80');
    await settled();
    const round = async (answer: Error) => {
      resolver.hosts.set('web', answer);
      clock.advance(5_000);
      await settled();
    };
    await round(dnsError('ESERVFAIL'));
    await round(dnsError('ENOTFOUND'));
    await round(dnsError('ENOTFOUND'));
    await round(dnsError('ETIMEOUT'));
    assert.equal(shown().length, 2);
    for (let i = 0; i < 3; i++) await round(dnsError('ENOTFOUND'));
    assert.equal(shown().at(-1), '/$/inet/web/80 / neg');
    resolver.hosts.set('web', { addresses: ['10.0.0.2'], ttlMs: 0 });
    clock.advance(5_000);
    await settled();
    assert.equal(shown().at(-1), '/$/inet/web/80 / 10.0.0.2:80');
  });

  test('that never resolved are bound to the failure, with its reason', async () => {
    const { clock, resolver, namers } = setUp();
    resolver.hosts.set('web', dnsError('ESERVFAIL'));
    const failing = watch(namers, '/$/inet/web/80');
    const missing = watch(namers, '/$/inet/nowhere/80');
    await settled();
    assert.deepEqual(failing.shown(), [
      'pending',
      "/$/inet/web/80 / failed web can't be resolved: query ESERVFAIL",
    ]);
    assert.deepEqual(missing.shown(), ['pending', '/$/inet/nowhere/80 / neg']);
    resolver.hosts.set('web', { addresses: ['10.0.0.1'], ttlMs: 0 });
    clock.advance(5_000);
    await settled();
    assert.equal(failing.shown().at(-1), '/$/inet/web/80 / 10.0.0.1:80');
  });

  test('a name server that says nothing has failed after 10 s', async () => {
    const clock = new FakeClock();
    const never = new Promise<never>(() => {});
    const namers = new SystemNamers(new Hosts({ clock, resolver: { host: () => never, srv: () => never } }));
    const { shown } = watch(namers, '/$/inet/web/80');
    clock.advance(10_000);
    assert.deepEqual(shown().at(-1), "/$/inet/web/80 / failed web can't be resolved: no answer in time");
  });

  test('one question serves all who watch the host', async () => {
    const { resolver, namers } = setUp();
    resolver.hosts.set('web', { addresses: ['10.0.0.1'], ttlMs: 0 });
    const many = Array.from({ length: 100 }, (_, i) => watch(namers, `/$/inet/web/${i + 1}`));
    await settled();
    assert.equal(resolver.asked.length, 1);
    assert.equal(many[99]?.shown().at(-1), '/$/inet/web/100 / 10.0.0.1:100');
  });

  test('fixedinet asks until it has an answer, and then no more', async () => {
    const { clock, resolver, namers } = setUp();
    resolver.hosts.set('web', dnsError('ESERVFAIL'));
    const { shown } = watch(namers, '/$/fixedinet/web/80');
    await settled();
    resolver.hosts.set('web', { addresses: ['10.0.0.1'], ttlMs: 0 });
    clock.advance(5_000);
    await settled();
    clock.advance(600_000);
    assert.equal(resolver.asked.length, 2);
    assert.equal(shown().at(-1), '/$/fixedinet/web/80 / 10.0.0.1:80');
  });
});
