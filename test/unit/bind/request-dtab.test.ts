/** Rules that a request brings (`l5d-dtab`) choose among what the mesh has; they reach nothing else, by no detour. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { Cell } from '#base/watch.ts';
import { type Dtab, NameSyntaxError, type Path, parseDtab, parsePath } from '#names';
import { Interpreter, NamerTable, parseWatchedName, RequestDtabError } from '../../../namerd/bind/index.ts';
import {
  DnsSrvNamer,
  Hosts,
  RegistryNamer,
  RewriteNamer,
  SystemNamers,
} from '../../../namerd/namers/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { anyDtab, anyPath } from '../../lib/naming/arbitraries.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import { registryOf, service, TestSource, workload } from '../../lib/naming/registry-source.ts';
import { showBinding } from '../../lib/naming/show-binding.ts';

async function setUp() {
  const [clock, resolver, source] = [new FakeClock(), new TestResolver(), new TestSource()];
  source.set(
    [service('a'), service('b')],
    [workload('a-1', 'a', '10.0.0.1'), workload('b-1', 'b', '10.0.0.2')],
  );
  const registry = await registryOf([source]);
  const hosts = new Hosts({ clock, resolver });
  const table = new NamerTable(
    [
      new RegistryNamer(registry),
      new DnsSrvNamer({ clock, resolver, hosts }),
      new RewriteNamer({
        prefix: parsePath('/rewrite'),
        pattern: '/{host}/{port}',
        name: '/$/inet/{host}/{port}',
      }),
    ],
    new SystemNamers(hosts),
  );
  const interpreter = new Interpreter({ namers: table, registry, clock });
  const bind = (mesh: string, local: string | Dtab, path: string | Path) => {
    const dtab = new Cell(parseDtab(mesh));
    const rules = typeof local === 'string' ? parseDtab(local) : local;
    const name = typeof path === 'string' ? parsePath(path) : path;
    const watched = interpreter.bindWith(dtab, rules, name);
    // Observed, so that pending answers do not look like none.
    let shown = '';
    watched.observe(binding => {
      shown = showBinding(binding);
    })();
    return shown;
  };
  return { bind, interpreter, resolver };
}

const BASE = '/svc => /#/registry';

suite('rules of a request', () => {
  test('lead to what the mesh has, and win over its rules', async () => {
    const { bind } = await setUp();
    assert.equal(bind(BASE, '', '/svc/default/a/http'), '/#/registry/default/a/http[10.0.0.1:8080]');
    const b = '/#/registry/default/b/http[10.0.0.2:8080]';
    assert.equal(bind(BASE, '/svc/default/a => /svc/default/b', '/svc/default/a/http'), b);
    assert.equal(
      bind(`${BASE}; /svc/default/a => !`, '/svc/default/a => /#/registry/default/b', '/svc/default/a/http'),
      b,
    );
    assert.equal(
      bind(BASE, '/svc/default/a => ~', '/svc/default/a/http'),
      '/#/registry/default/a/http[10.0.0.1:8080]',
    );
    assert.equal(bind(BASE, '/svc/default/a => !', '/svc/default/a/http'), 'fail');
    // What has no answer falls back on the mesh's rules.
    assert.equal(
      bind(BASE, '/svc/default/a => /svc/gone', '/svc/default/a/http'),
      '/#/registry/default/a/http[10.0.0.1:8080]',
    );
    assert.match(
      bind(BASE, '/svc/default/a => 1 * /svc/default/b & 3 * /svc/default/a2', '/svc/default/a/http'),
      /10\.0\.0\.2/,
    );
  });

  test('reach no address of their own, directly or by any detour', async () => {
    const { bind, resolver } = await setUp();
    const metadata = '169.254.169.254/80';
    const meshes = [
      BASE,
      // The mesh has doors to addresses for its own names.
      `${BASE}; /ext => /$/inet; /host => /$/io.buoyant.hostportPfx/inet; /dns => /#/io.l5d.dnssrv; /re => /#/rewrite; /root => /`,
      `${BASE}; /pfx => /$/io.buoyant.http.anyMethodPfx; /any => /$/io.buoyant.http.anyHostPfx; /sub => /$/io.buoyant.http.domainToPathPfx`,
    ];
    const attacks = [
      `/svc => /$/inet/${metadata}`,
      `/svc => /#/../$/inet/${metadata}`.replace('/../', '/'),
      `/svc => /$/fixedinet/${metadata}`,
      '/svc => /$/inet/22',
      '/svc => /$/io.buoyant.rinet/80/169.254.169.254',
      `/svc => /ext/${metadata}`,
      '/svc => /ext/22',
      '/svc => /host/169.254.169.254:80',
      '/svc => /$/io.buoyant.hostportPfx/$/inet:80',
      `/svc => /$/io.buoyant.http.anyMethodPfx/$/GET/inet/${metadata}`,
      `/svc => /pfx/$/GET/inet/${metadata}`,
      `/svc => /any/$/h/inet/${metadata}`,
      `/svc => /sub/$/inet/${metadata}`,
      '/svc => /dns/evil.test',
      '/svc => /#/io.l5d.dnssrv/evil.test',
      `/svc => /re/${metadata}`,
      `/svc => /#/rewrite/${metadata}`,
      `/svc => /root/$/inet/${metadata}`,
      `/ => /$/inet/${metadata}`,
      `/*/* => /$/inet/${metadata}`,
      `/svc => /x; /x => /y; /y => /$/inet/${metadata}`,
      `/svc => ~ | /$/inet/${metadata}`,
      `/svc => /$/inet/${metadata} & /ext/${metadata}`,
      `/#/registry => /$/inet/${metadata}`,
      `/#/registry => /ext/${metadata}`,
    ];
    resolver.hosts.set('evil.test', { addresses: ['169.254.169.254'], ttlMs: 1_000 });
    for (const mesh of meshes)
      for (const attack of attacks) {
        const shown = bind(mesh, attack, '/svc/default/a/http');
        // The mesh's own answer, none, or a loop that was ended: never an address that the request named.
        assert.doesNotMatch(
          shown,
          /\$|inet|169\.254|dnssrv|rewrite|pending/,
          `${mesh} with ${attack}: ${shown}`,
        );
      }
    assert.deepEqual(resolver.asked, []);
  });

  test('may use a name whose address the mesh itself has written, and none but this', async () => {
    const { bind } = await setUp();
    const mesh = `${BASE}; /svc/default/out => /$/inet/192.0.2.1/443; /half => /$/inet/192.0.2.1`;
    const out = bind(mesh, '/svc/default/a => /svc/default/out', '/svc/default/a/http');
    assert.match(out, /^\/\$\/inet\/192\.0\.2\.1\/443\+\/http\[192\.0\.2\.1:443\]$/);
    assert.equal(bind(mesh, '/svc/default/a => /half/22', '/svc/default/a'), 'neg');
    // Without rules of a request the mesh's doors are as open as it made them.
    assert.match(bind(mesh, '/unused => /svc', '/half/22'), /192\.0\.2\.1:22/);
  });

  test('cost little, however they are written', async () => {
    const { bind } = await setUp();
    assert.match(bind(BASE, '/svc => /svc & /svc & /svc', '/svc/a'), /^failed: .*(250 look-ups|recursion)/);
  });

  test('never make an address of an element that the mesh did not write', async () => {
    const { bind } = await setUp();
    // Every rule's name is among those by which anything can be reached.
    const doors = `${BASE}; /a => /$/inet; /b => /$; /c => /; /svc => /#/registry`;
    // A door with nothing behind it: all of the name is the mesh's, and it is no address.
    const shut = '/$/inet is no address: /$/inet/<host>/<port> or /$/inet/<port> is expected';
    fc.assert(
      fc.property(anyDtab, anyPath, (local, path) => {
        const named = path.elems.includes('$') || path.startsWith(parsePath('/a'));
        const shown = bind(doors, local, path);
        // The name itself is the mesh's: what it reaches without rules it may reach with them.
        if (!named && !path.startsWith(parsePath('/b')) && !path.startsWith(parsePath('/c')))
          assert.doesNotMatch(shown.replaceAll(shut, ''), /\/\$\//, `${local} ${path}`);
      }),
      {
        examples: [
          [parseDtab('/[2001:db8::2]:80 => /a'), parsePath('/[2001:db8::2]:80')],
          [parseDtab('/svc => /'), parsePath('/svc/a/a')],
          [parseDtab('/svc => /'), parsePath('/svc/a/22')],
          [parseDtab('/svc => /'), parsePath('/svc/a/h/22')],
        ],
      },
    );
  });
});

suite('the key of a watched name', () => {
  test('is a path, or a path and a dtab', () => {
    assert.equal(parseWatchedName('/svc/a').path.show, '/svc/a');
    assert.equal(parseWatchedName('/svc/a').local, undefined);
    const { path, local } = parseWatchedName('/svc/a /svc => /x ; /y => /z');
    assert.deepEqual([path.show, local?.show], ['/svc/a', '/svc=>/x;/y=>/z']);
    assert.equal(parseWatchedName('/svc/a ').local, undefined);
  });

  test('is refused where it says what no request may say', () => {
    const refused = (text: string, type: new (...args: never[]) => Error) =>
      assert.throws(() => parseWatchedName(`/svc/a ${text}`), type, text);
    refused('/svc => ', NameSyntaxError);
    refused('rubbish', NameSyntaxError);
    for (const dst of [
      '/$/inet/1.2.3.4/80',
      '/$',
      '/x | /$/inet/1/2',
      '1 * /x & 2 * (/y | /$/nil)',
      '/#/$/inet/1/2',
      '/$$',
    ])
      refused(`/svc => ${dst}`, RequestDtabError);
    refused(`/svc => /x${' '.repeat(5_000)}`, RequestDtabError);
    refused('/a=>/b;'.repeat(51), RequestDtabError);
    parseWatchedName(`/svc/a ${'/a=>/b;'.repeat(50)}`);
    assert.throws(() => parseWatchedName('svc /a => /b'), NameSyntaxError);
  });
});
