import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cell } from '#base/watch.ts';
import { type Dtab, Path, parseDtab, parsePath } from '#names';
import {
  type Binding,
  baseDtab,
  Interpreter,
  MAX_LOOKUPS,
  meshDtab,
  NamerTable,
  nameStateOf,
} from '../../../namerd/bind/index.ts';
import {
  Hosts,
  type Namer,
  RegistryNamer,
  RewriteNamer,
  SystemNamers,
} from '../../../namerd/namers/index.ts';
import type { Registry } from '../../../namerd/registry/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { settled, TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import { showBinding } from '../../lib/naming/show-binding.ts';
import { TestNamer } from '../../lib/naming/test-namer.ts';

function setUp({ namers = [], registry }: { namers?: Namer[]; registry?: Registry } = {}) {
  const [clock, resolver] = [new FakeClock(), new TestResolver()];
  const hosts = new Hosts({ clock, resolver });
  const table = new NamerTable(namers, new SystemNamers(hosts));
  const interpreter = new Interpreter({ namers: table, clock, ...(registry && { registry }) });
  return { clock, resolver, interpreter };
}

function watch(interpreter: Interpreter, dtab: Cell<Dtab>, path: string) {
  const seen: string[] = [];
  const dispose = interpreter.bind(dtab, parsePath(path)).observe(binding => seen.push(showBinding(binding)));
  return { seen, dispose };
}

suite('binding', () => {
  test('alternatives are tried in turn, as their answers come and go', () => {
    const namer = new TestNamer();
    const { interpreter } = setUp({ namers: [namer] });
    namer.set('/a', 'pending');
    namer.set('/b', '10.0.0.2:80');
    const { seen, dispose } = watch(interpreter, new Cell(parseDtab('/x => /#/test/a | /#/test/b')), '/x');
    assert.equal(namer.observers('/b'), 0, 'the second is not asked before the first has answered');
    namer.set('/a', 'neg');
    namer.set('/a', '10.0.0.1:80');
    assert.equal(namer.observers('/b'), 0, 'nor when it is not needed any more');
    namer.set('/a', 'failed');
    namer.set('/a', 'fail');
    namer.set('/a', 'empty');
    assert.deepEqual(seen, [
      'pending',
      '/#/test/b[10.0.0.2:80]',
      '/#/test/a[10.0.0.1:80]',
      'failed: /a failed',
      'fail',
      'empty',
    ]);
    dispose();
  });

  test('a dtab that changes is followed; what leads to the same is not told again', () => {
    const namer = new TestNamer();
    const { interpreter } = setUp({ namers: [namer] });
    namer.set('/a', '10.0.0.1:80');
    namer.set('/b', '10.0.0.2:80');
    const dtab = new Cell(parseDtab('/x => /#/test/a'));
    const { seen, dispose } = watch(interpreter, dtab, '/x');
    dtab.set(parseDtab('/x => /#/test/a; /other => /y'));
    dtab.set(parseDtab('/x => 99 * /#/test/a & 1 * /#/test/b'));
    dtab.set(parseDtab('/x => ~'));
    assert.deepEqual(seen, [
      '/#/test/a[10.0.0.1:80]',
      '99*/#/test/a[10.0.0.1:80] & /#/test/b[10.0.0.2:80]',
      'neg',
    ]);
    assert.equal(namer.observers('/a') + namer.observers('/b'), 0);
    dispose();
  });

  test('nested unions keep their weights, which multiply when picking', () => {
    const namer = new TestNamer();
    for (const name of ['a', 'b', 'c']) namer.set(`/${name}`, '10.0.0.1:80');
    const { interpreter } = setUp({ namers: [namer] });
    const dtab = new Cell(parseDtab('/x => 3*/y & 1*/#/test/c; /y => 0.001*/#/test/a & 2*/#/test/b'));
    const { seen } = watch(interpreter, dtab, '/x');
    assert.deepEqual(seen, [
      '3*(0.001*/#/test/a[10.0.0.1:80] & 2*/#/test/b[10.0.0.1:80]) & /#/test/c[10.0.0.1:80]',
    ]);
  });

  test('a dtab goes before the namers, for any path; the namers only where it says ~', () => {
    const namer = new TestNamer();
    namer.set('/a', '10.0.0.1:80');
    const { interpreter } = setUp({ namers: [namer] });
    const at = (dtab: string, path: string) =>
      showBinding(interpreter.bind(new Cell(parseDtab(dtab)), parsePath(path)).current);
    assert.equal(at('/#/test => /$/nil', '/#/test/a'), 'empty');
    assert.equal(at('/$/nil => /#/test/a', '/$/nil'), '/#/test/a[10.0.0.1:80]');
    assert.equal(at('/#/test => ~', '/#/test/a'), '/#/test/a[10.0.0.1:80]');
    assert.equal(at('', '/svc/none'), 'neg');
    assert.equal(at('', '/#/nobody/x'), 'neg');
    assert.equal(at('/=>/$/nil', '/anything'), 'failed: Max recursion level: 100 reached in Namer lookup');
  });

  test('what a namer rewrites goes on through the dtab', () => {
    const rewrite = new RewriteNamer({ prefix: Path.of('r'), pattern: '/{a}-{b}', name: '/done/{b}/{a}' });
    const { interpreter } = setUp({ namers: [rewrite] });
    const dtab = new Cell(parseDtab('/svc => /#/r; /done => /$/inet/10.0.0.1'));
    assert.equal(
      showBinding(interpreter.bind(dtab, parsePath('/svc/x-80')).current),
      '/$/inet/10.0.0.1/80+/x[10.0.0.1:80]',
    );
  });

  test('100 look-ups are allowed, one more is not', () => {
    const { interpreter } = setUp();
    const chain = (length: number) =>
      parseDtab(
        Array.from({ length }, (_, i) => `/n${i}=>/n${i + 1}`)
          .concat(`/n${length}=>$`)
          .join(';'),
      );
    const at = (length: number) =>
      showBinding(interpreter.bind(new Cell(chain(length)), parsePath('/n0')).current);
    assert.equal(at(99), 'empty');
    assert.match(at(100), /Max recursion level/);
  });

  test('a dtab made to explode ends with an error, soon and without breaking the stack', () => {
    const { interpreter } = setUp();
    const at = (dtab: string) =>
      showBinding(interpreter.bind(new Cell(parseDtab(dtab)), parsePath('/a')).current);
    const started = performance.now();
    const doubling = Array.from({ length: 60 }, (_, i) => `/n${i}=>/n${i + 1} & /n${i + 1}`).join(';');
    assert.equal(
      at(`/a=>/n0;${doubling};/n60=>$`),
      `failed: the name takes more than ${MAX_LOOKUPS} look-ups`,
    );
    assert.match(at('/a=>/a & /a'), /^failed: /);
    assert.match(at('/a=>/a | /a'), /^failed: /);
    assert.match(at('/a=>/a/a/a/a/a/a/a/a'), /^failed: Max recursion/);
    const nested = `${'(~ | '.repeat(99)}/a/a${')'.repeat(99)}`;
    assert.match(at(`/a=>${nested}`), /^failed: /);
    assert.ok(performance.now() - started < 5_000);
  });
});

suite('sharing', () => {
  test('500 watchers of one name cost one binding; it lingers and then goes', () => {
    const namer = new TestNamer();
    namer.set('/a', '10.0.0.1:80');
    const { interpreter, clock } = setUp({ namers: [namer] });
    const dtab = new Cell(parseDtab('/x => /#/test/a'));
    const watchers = Array.from({ length: 500 }, () => watch(interpreter, dtab, '/x'));
    assert.equal(namer.observers('/a'), 1);
    assert.equal(dtab.observers, 1);
    namer.set('/a', '10.0.0.2:80');
    assert.ok(watchers.every(({ seen }) => seen.at(-1) === '/#/test/a[10.0.0.2:80]'));
    for (const { dispose } of watchers) dispose();
    assert.equal(namer.observers('/a'), 1);
    clock.advance(10_000);
    assert.deepEqual([namer.observers('/a'), dtab.observers, interpreter.size(dtab)], [0, 0, 0]);
  });

  test('the binding of a single request is shared with nobody and gone at once', () => {
    const namer = new TestNamer();
    namer.set('/a', '10.0.0.1:80');
    const { interpreter } = setUp({ namers: [namer] });
    const seen: Binding[] = [];
    const dtab = new Cell(parseDtab('/x => /#/test/a'));
    interpreter.bindAlone(dtab, parsePath('/x')).observe(binding => seen.push(binding))();
    assert.equal(seen.length, 1);
    assert.equal(namer.observers('/a') + interpreter.size(dtab), 0);
  });
});

suite('binding in the mesh', () => {
  async function mesh() {
    const source = new TestSource();
    const registry = await registryOf([source]);
    const { interpreter, resolver, clock } = setUp({ namers: [new RegistryNamer(registry)], registry });
    const namespace = new Cell<Dtab | undefined>(undefined);
    const dtab = meshDtab(baseDtab(parsePath('/#/registry')), namespace);
    return { source, registry, interpreter, resolver, clock, namespace, dtab };
  }

  test('by default services are in the registry; the rules of the namespace come last and win', async () => {
    const { source, interpreter, namespace, dtab } = await mesh();
    source.set(
      [service('div'), service('div2')],
      [workload('d1', 'div', '10.0.0.1'), workload('d2', 'div2', '10.0.0.2')],
    );
    const seen: string[] = [];
    const dispose = interpreter
      .bind(dtab, parsePath('/svc/default/div/http'))
      .observe(binding => seen.push(showBinding(binding)));
    namespace.set(
      parseDtab('/svc/default/div => 99 * /#/registry/default/div & 1 * /#/registry/default/div2'),
    );
    namespace.set(undefined);
    const one = '/#/registry/default/div/http[10.0.0.1:8080]';
    assert.deepEqual(seen, [one, `99*${one} & /#/registry/default/div2/http[10.0.0.2:8080]`, one]);
    dispose();
  });

  test('an endpoint that comes or goes is told to the watchers of its service only', async () => {
    const { source, interpreter, dtab } = await mesh();
    const services = ['a', 'b'].map(name => service(name));
    source.set(services, [workload('a1', 'a', '10.0.0.1'), workload('b1', 'b', '10.0.1.1')]);
    const told = { a: 0, b: 0 };
    for (const name of ['a', 'b'] as const)
      interpreter.bind(dtab, parsePath(`/svc/default/${name}/http`)).observe(() => {
        told[name] += 1;
      });
    source.set(services, [
      workload('a1', 'a', '10.0.0.1'),
      workload('b1', 'b', '10.0.1.1'),
      workload('a2', 'a', '10.0.0.2'),
    ]);
    assert.deepEqual(told, { a: 2, b: 1 });
  });

  test('an address from elsewhere that is a workload is connected to as one, as soon as it is', async () => {
    const { source, registry, interpreter, namespace, dtab } = await mesh();
    namespace.set(parseDtab('/svc/ext => /$/inet/10.0.0.1/9000'));
    const seen: unknown[] = [];
    interpreter.bind(dtab, parsePath('/svc/ext')).observe(binding => {
      const state = nameStateOf(binding);
      const tree = state?.state === 'bound' ? state.tree : undefined;
      const set = tree?.type === 'leaf' ? tree.replicas : undefined;
      const [replica] = set?.state === 'bound' ? set.replicas : [];
      seen.push([replica?.address, replica?.workload, replica?.identity, replica?.hbone]);
    });
    source.set([], [workload('w', 'a', '10.0.0.1')]);
    await registry.setReported('node-1', ['default/w']);
    source.set([], []);
    const identity = 'spiffe://mesh.test/ns/default/sa/default';
    assert.deepEqual(seen, [
      ['10.0.0.1:9000', '', '', false],
      ['10.0.0.1:9000', 'default/w', identity, false],
      ['10.0.0.1:9000', 'default/w', identity, true],
      ['10.0.0.1:9000', '', '', false],
    ]);
  });

  test('a host that is being resolved is pending, and then bound', async () => {
    const { interpreter, resolver } = await mesh();
    resolver.hosts.set('web', { addresses: ['10.9.0.1'], ttlMs: 0 });
    const { seen, dispose } = watch(interpreter, new Cell(parseDtab('/x => /$/inet/web/80')), '/x');
    await settled();
    assert.deepEqual(seen, ['pending', '/$/inet/web/80[10.9.0.1:80]']);
    dispose();
  });
});

suite('namers', () => {
  const hosts = new Hosts({ clock: new FakeClock(), resolver: new TestResolver() });
  const table = (...prefixes: string[]) =>
    new NamerTable(
      prefixes.map(prefix => new TestNamer(prefix)),
      new SystemNamers(hosts),
    );

  test('prefixes that overlap or are empty are refused by name', () => {
    table('/#/a', '/#/b', '/#/ab');
    assert.throws(() => table('/#/a', '/#/a/b'), {
      code: 'NM_NAMER_PREFIX',
      message: 'the prefix /#/a/b of the namer test overlaps with /#/a of test',
    });
    assert.throws(() => table('/#/a/b', '/#/a'), { code: 'NM_NAMER_PREFIX' });
    assert.throws(() => table('/#/a', '/#/a'), { code: 'NM_NAMER_PREFIX' });
    assert.throws(() => table('/#'), {
      code: 'NM_NAMER_PREFIX',
      message: 'the prefix of the namer test is empty',
    });
  });
});
