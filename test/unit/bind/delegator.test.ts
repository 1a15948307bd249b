import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cell } from '#base/watch.ts';
import { parseDtab, parsePath } from '#names';
import { type DelegateTree, Interpreter, NamerTable } from '../../../namerd/bind/index.ts';
import { Hosts, RegistryNamer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import { TestNamer } from '../../lib/naming/test-namer.ts';

function setUp() {
  const clock = new FakeClock();
  const namer = new TestNamer();
  const system = new SystemNamers(new Hosts({ clock, resolver: new TestResolver() }));
  const interpreter = new Interpreter({ namers: new NamerTable([namer], system), clock });
  const explain = (dtab: string, path: string) =>
    interpreter.delegate(new Cell(parseDtab(dtab)), parsePath(path)).current;
  const tree = (dtab: string, path: string): DelegateTree => {
    const activity = explain(dtab, path);
    assert.equal(activity.state, 'ok');
    return activity.value;
  };
  return { namer, explain, tree };
}

suite('delegation', () => {
  test('follows every alternative, also behind the one that is taken', () => {
    const { namer, tree } = setUp();
    namer.set('/a', '10.0.0.1:80');
    namer.set('/b', 'failed');
    assert.deepEqual(tree('/x => /#/test/a | /#/test/b | !', '/x'), {
      type: 'alt',
      path: '/x',
      alt: [
        {
          type: 'leaf',
          path: '/#/test/a',
          dentry: { prefix: '/x', dst: '/#/test/a | /#/test/b | !' },
          bound: {
            addr: { type: 'bound', addrs: [{ ip: '10.0.0.1', port: 80, meta: {} }], meta: {} },
            id: '/#/test/a',
            path: '/',
          },
        },
        {
          type: 'exception',
          path: '/#/test/b',
          dentry: { prefix: '/x', dst: '/#/test/a | /#/test/b | !' },
          message: '/b failed',
        },
        { type: 'fail', path: '/x', dentry: { prefix: '/x', dst: '/#/test/a | /#/test/b | !' } },
      ],
    });
  });

  test('unions with their exact weights', () => {
    const { tree } = setUp();
    const dentry = { prefix: '/x', dst: '0.999*/y & 0.001*/z' };
    assert.deepEqual(tree('/x => .999*/y & .001*/z', '/x'), {
      type: 'union',
      path: '/x',
      union: [
        { weight: 0.999, tree: { type: 'neg', path: '/y', dentry } },
        { weight: 0.001, tree: { type: 'neg', path: '/z', dentry } },
      ],
    });
  });

  test('a rule that answers by itself is shown', () => {
    const { tree } = setUp();
    for (const [text, type] of [
      ['~', 'neg'],
      ['!', 'fail'],
      ['$', 'empty'],
    ])
      assert.deepEqual(tree(`/x => ${text}`, '/x/y'), {
        type: 'delegate',
        path: '/x/y',
        delegate: { type, path: '/x/y', dentry: { prefix: '/x', dst: text } },
      });
  });

  test('a step made by a rewriter has no rule', () => {
    const { tree } = setUp();
    assert.deepEqual(tree('/x => /$/io.buoyant.hostportPfx/h', '/x/a:80'), {
      type: 'delegate',
      path: '/x/a:80',
      delegate: {
        type: 'delegate',
        path: '/$/io.buoyant.hostportPfx/h/a:80',
        dentry: { prefix: '/x', dst: '/$/io.buoyant.hostportPfx/h' },
        delegate: { type: 'neg', path: '/h/a/80' },
      },
    });
  });

  test('is pending while a namer on the way is', () => {
    const { namer, explain } = setUp();
    namer.set('/a', 'pending');
    assert.deepEqual(explain('/x => /y | /#/test/a', '/x'), { state: 'pending' });
  });

  test('what never ends is cut off and says so', () => {
    const { tree } = setUp();
    let deep: DelegateTree = tree('/a => /b; /b => /a', '/a');
    let steps = 0;
    for (; deep.type === 'delegate'; steps++) deep = deep.delegate;
    assert.equal(steps, 101);
    assert.deepEqual(
      [deep.type, 'message' in deep && deep.message],
      ['exception', 'Max recursion level reached.'],
    );
    const text = JSON.stringify(tree('/a => /a & /a', '/a'));
    assert.match(text, /more than 2000 steps/);
    assert.ok(text.length < 2_000_000);
    const nested = `${'(~ | '.repeat(99)}/a${')'.repeat(99)}`;
    assert.match(JSON.stringify(tree(`/a => ${nested}`, '/a')), /exception/);
  });

  test('tells what is known about a workload', async () => {
    const clock = new FakeClock();
    const source = new TestSource();
    const registry = await registryOf([source]);
    const system = new SystemNamers(new Hosts({ clock, resolver: new TestResolver() }));
    const namers = new NamerTable([new RegistryNamer(registry)], system);
    const interpreter = new Interpreter({ namers, registry, clock });
    source.set([service('a')], [workload('w', 'a', '10.0.0.1', { weight: 2, zone: 'z', terminating: true })]);
    const { current } = interpreter.delegate(
      new Cell(parseDtab('/svc => /#/registry')),
      parsePath('/svc/default/a/80/rest'),
    );
    assert.ok(
      current.state === 'ok' && current.value.type === 'delegate' && current.value.delegate.type === 'leaf',
    );
    const { bound } = current.value.delegate;
    assert.deepEqual(bound, {
      addr: {
        type: 'bound',
        addrs: [
          {
            ip: '10.0.0.1',
            port: 8080,
            meta: {
              nodeName: 'node-1',
              workload: 'default/w',
              identity: 'spiffe://mesh.test/ns/default/sa/default',
              zone: 'z',
              endpoint_addr_weight: 2,
              terminating: true,
            },
          },
        ],
        meta: {},
      },
      id: '/#/registry/default/a/http',
      path: '/rest',
    });
  });
});
