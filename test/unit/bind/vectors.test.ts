/** The sample of Finagle's and Linkerd's binding in test/vectors: bind, bind_union_state, union_pick, delegate, /delegate over HTTP. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { BoundTree } from '#api';
import { Cell } from '#base/watch.ts';
import { Dtab, Path, Prefix, parseDtab, parseNameTree, parsePath } from '#names';
import { BindError, type DelegateTree, Interpreter, NamerTable } from '../../../namerd/bind/index.ts';
import { Hosts, type Namer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import { TestNamer } from '../../lib/naming/test-namer.ts';
import sample from '../../vectors/dtab-sample.json' with { type: 'json' };

function interpreterOf(...namers: Namer[]): Interpreter {
  const clock = new FakeClock();
  const system = new SystemNamers(new Hosts({ clock, resolver: new TestResolver() }));
  return new Interpreter({ namers: new NamerTable(namers, system), clock });
}

/** A tree can't be bound directly: it becomes what the root of the dtab leads to. */
function bindTree(interpreter: Interpreter, dtab: string, tree: string) {
  const root = { prefix: Prefix.of('root'), dst: parseNameTree(tree) };
  const table = parseDtab(dtab).concat(Dtab.of([root]));
  return interpreter.bind(new Cell(table), Path.of('root')).current;
}

interface Bound {
  id: string;
  residual: string;
  weight?: number;
}

/** Every leaf with the innermost weight on the way to it, as Finagle records it on addresses. */
function leaves(tree: BoundTree, weight?: number): Bound[] {
  if (tree.type === 'union') return tree.branches.flatMap(each => leaves(each.tree, each.weight));
  if (tree.type !== 'leaf') return [];
  const { id, residual } = tree;
  return [weight === undefined ? { id, residual } : { id, residual, weight }];
}

test('vectors: bind', () => {
  const interpreter = interpreterOf();
  for (const row of sample.bind) {
    const binding = bindTree(interpreter, row.dtab, row.bind);
    if (row.result === 'error') {
      assert.equal(row.error_kind, 'max-depth');
      assert.ok(binding.state === 'failed' && binding.error instanceof BindError);
      assert.equal(binding.error.message, 'Max recursion level: 100 reached in Namer lookup');
      continue;
    }
    assert.equal(binding.state, 'ok', row.dtab);
    if (row.result !== undefined) assert.equal(binding.value.type, row.result);
    else {
      // Where only one branch is left there is nothing to share, so its weight goes (it takes all traffic).
      const only = row.bound?.length === 1;
      const wanted = (row.bound as Bound[] | undefined)?.map(({ id, residual, weight }) => {
        return only || weight === undefined ? { id, residual } : { id, residual, weight };
      });
      assert.deepEqual(leaves(binding.value), wanted, row.dtab);
    }
  }
});

test('vectors: bind_union_state', () => {
  for (const { tree, result, ...states } of sample.bind_union_state) {
    const namer = new TestNamer('/#/t');
    for (const [name, state] of Object.entries(states as Record<string, string>)) {
      const port = /\/(\d+)\)$/.exec(state)?.[1];
      if (name === 'x' || name === 'y' || name === 'z')
        namer.set(`/${name}`, port !== undefined ? `127.0.0.1:${port}` : state === 'any' ? 'neg' : state);
    }
    const binding = bindTree(interpreterOf(namer), '/x=>/#/t/x;/y=>/#/t/y;/z=>/#/t/z', tree);
    const bound = /^bound \[(.*)\]$/.exec(result)?.[1];
    if (bound === undefined)
      assert.equal(binding.state === 'ok' ? binding.value.type : binding.state, result);
    else {
      assert.equal(binding.state, 'ok', tree);
      assert.equal(ports(binding.value).sort().join(','), bound);
    }
  }
});

function ports(tree: BoundTree): string[] {
  if (tree.type === 'union') return tree.branches.flatMap(({ tree }) => ports(tree));
  if (tree.type !== 'leaf' || tree.replicas.state !== 'bound') return [];
  return tree.replicas.replicas.map(({ address }) => address.split(':')[1] ?? '');
}

suite('vectors: union_pick, as far as binding goes', () => {
  // Which replica is picked is decided by node proxies; here: what is there to pick from.
  const namer = new TestNamer('/#/t');
  for (const leaf of ['leaf', 'a', 's', 'p']) namer.set(`/${leaf}`, '10.0.0.1:80');
  const constants: Record<string, string> = { neg: '~', fail: '!', empty: '$' };

  for (const row of sample.union_pick) {
    test(JSON.stringify(row.union), () => {
      const pairs = row.union as [number, string][];
      const text = pairs
        .map(([weight, what]) => `${weight} * ${constants[what] ?? `/#/t/${what}`}`)
        .join(' & ');
      const binding = bindTree(interpreterOf(namer), '', text);
      assert.equal(binding.state, 'ok');
      assert.equal(binding.value.type, 'union');
      const kept = binding.value.branches.map(({ weight, tree }) => [weight, tree.type]);
      const left = pairs.filter(([, what]) => what !== 'neg' && what !== 'fail');
      assert.deepEqual(
        kept,
        left.map(([weight, what]) => [weight, what === 'empty' ? 'empty' : 'leaf']),
      );
    });
  }
});

type Expected = Record<string, unknown> & { dentry?: string; child?: Expected; children?: Expected[] };

function checkDelegate(tree: DelegateTree, expected: Expected): void {
  assert.equal(expected[tree.type], tree.path);
  const { dentry } = tree;
  // The one difference in printing: spaces around `=>` are never there.
  assert.equal(dentry && `${dentry.prefix}=>${dentry.dst}`, expected.dentry);
  if (tree.type === 'delegate') checkDelegate(tree.delegate, expected.child ?? {});
  if (tree.type === 'alt') {
    assert.equal(tree.alt.length, expected.children?.length);
    for (const [i, each] of tree.alt.entries()) checkDelegate(each, expected.children?.[i] ?? {});
  }
  if (tree.type === 'leaf') {
    assert.equal(tree.bound.id, expected['id']);
    assert.equal(tree.bound.path, expected['residual']);
  }
}

test('vectors: delegate', () => {
  for (const { dtab, path, tree } of sample.delegate) {
    // The vectors resolve the host 127.1, which is no canonical IP: the name server of the test knows it.
    const clock = new FakeClock();
    const resolver = new TestResolver();
    const hosts = new Hosts({ clock, resolver });
    hosts.watch = () => new Cell({ state: 'ok', value: ['127.0.0.1'] });
    const namers = new NamerTable([new TestNamer('/#/error')], new SystemNamers(hosts));
    const explained = new Interpreter({ namers, clock }).delegate(new Cell(parseDtab(dtab)), parsePath(path));
    const { current } = explained;
    assert.equal(current.state, 'ok');
    checkDelegate(current.value, tree as Expected);
  }
});

test('vectors: namerd_http, the bodies of /api/1/delegate', () => {
  const stored: Record<string, string> = { yeezus: '/yeezy => /yeezus', tlop: '/yeezy => /pablo' };
  let rows = 0;
  for (const { request, body } of sample.namerd_http) {
    const match = /^GET (\/api\/1\/delegate\S*)$/.exec(request ?? '');
    if (match === null) continue;
    rows += 1;
    const url = new URL(match[1] ?? '', 'http://namerd');
    const namespace = url.pathname.split('/')[4];
    const base = namespace === undefined ? Dtab.empty : parseDtab(stored[namespace] ?? '');
    const dtab = base.concat(parseDtab(url.searchParams.get('dtab') ?? ''));
    const path = parsePath(url.searchParams.get('path') ?? '');
    const { current } = interpreterOf().delegate(new Cell(dtab), path);
    assert.equal(current.state, 'ok');
    assert.deepEqual(current.value, body);
  }
  assert.equal(rows, 3);
});
