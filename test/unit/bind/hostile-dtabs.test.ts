/** Dtabs within the parser's limits that made namerd run out of memory or of time when a name was bound or explained. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cell } from '#base/watch.ts';
import { parseDtab, parsePath } from '#names';
import { Interpreter, NamerTable } from '../../../namerd/bind/index.ts';
import { Hosts, type Namer, RegistryNamer, SystemNamers } from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import { showBinding } from '../../lib/naming/show-binding.ts';

function setUp(...namers: Namer[]) {
  const clock = new FakeClock();
  const system = new SystemNamers(new Hosts({ clock, resolver: new TestResolver() }));
  const interpreter = new Interpreter({ namers: new NamerTable(namers, system), clock });
  return {
    bind: (dtab: string, path: string) =>
      showBinding(interpreter.bind(new Cell(parseDtab(dtab)), parsePath(path)).current),
    explain: (dtab: string, path: string) =>
      JSON.stringify(interpreter.delegate(new Cell(parseDtab(dtab)), parsePath(path)).current),
  };
}

const MANY = `/x => ${'/y | '.repeat(150_000)} /z`;
const LOOP = `/x => ${'/x/y | '.repeat(100_000)} /z`;
const LONG_LOOP = `/x => /x${'/y'.repeat(450_000)}`;
const LONG_ELEMENT = `/x => /x/${'y'.repeat(60_000)}`;
const CONSTANTS = `/x => ${'~ | '.repeat(200_000)} /x/y`;

suite('dtabs of a megabyte', () => {
  test('are bound within limits, or fail by name', () => {
    const { bind } = setUp();
    assert.equal(bind(MANY, '/x'), 'failed: the name takes more than 5000 look-ups');
    assert.equal(bind(LOOP, '/x'), 'failed: Max recursion level: 100 reached in Namer lookup');
    const long = 'failed: a name of more than 1000 elements or 65536 bytes';
    assert.equal(bind(LONG_LOOP, '/x'), long);
    assert.equal(bind(LONG_ELEMENT, '/x'), long);
    assert.equal(bind(CONSTANTS, '/x'), 'failed: the name takes more than 200000 trees');
  });

  test('are explained in a text that is not much longer', () => {
    const { explain } = setUp();
    for (const [dtab, says] of [
      [MANY, 'the rest is left out'],
      [LOOP, 'the rest is left out'],
      [LONG_LOOP, 'a name of more than 1000 elements'],
      [LONG_ELEMENT, 'a name of more than 1000 elements'],
      [CONSTANTS, 'the rest is left out'],
    ] as const) {
      const text = explain(dtab, '/x');
      assert.ok(text.length < 12_000_000, `${text.length}`);
      assert.ok(text.includes(says), dtab.slice(0, 20));
    }
  });
});

test('a large service that is named again and again is not written out again and again', async () => {
  const source = new TestSource();
  source.set(
    [service('a')],
    Array.from({ length: 300 }, (_, i) => workload(`w${i}`, 'a', `10.0.${i >> 8}.${i & 255}`)),
  );
  const { bind, explain } = setUp(new RegistryNamer(await registryOf([source])));
  const dtab = `/x => ${'/#/registry/default/a/80 & '.repeat(1_000)} /z`;
  assert.equal(bind(dtab, '/x'), 'failed: the name leads to more than 100000 replicas');
  const text = explain(dtab, '/x');
  assert.ok(text.length < 12_000_000, `${text.length}`);
  assert.ok(text.includes('the rest is left out'));
});
