import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '#base/config.ts';
import { type NamerdConfig, readConfig } from '../../../namerd/config.ts';
import { exposures } from '../../../namerd/config-exposure.ts';

const dir = mkdtempSync(join(tmpdir(), 'nodemesh-config-'));
after(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'token'), 'a token of some length\n');
writeFileSync(join(dir, 'short'), 'short');
const FILE = join(dir, 'namerd.yaml');

function read(text: string): NamerdConfig {
  return readConfig(text, FILE);
}

/** `line:column: path: message` */
function problems(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ line, column, path, message }) => `${line}:${column}: ${path}: ${message}`);
  }
  return [];
}

const SMALL = 'storage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController}]\n';

test("the configuration of Linkerd's namerd is read, with its defaults", () => {
  const config = read(`
admin:
  port: 9000
storage:
  kind: io.l5d.inMemory
  namespaces:
    default: |
      /svc => /#/io.l5d.fs ;
    empty: ""
namers:
- kind: io.l5d.fs
  rootDir: .
- kind: io.l5d.dnssrv
  experimental: true
  prefix: dns
  dnsHosts: [10.0.0.53]
- kind: io.l5d.rewrite
  prefix: /re
  pattern: "/{a}-{b}"
  name: "/svc/{b}/{a}"
interfaces:
- kind: io.l5d.httpController
telemetry:
- kind: io.l5d.prometheus
  path: /prom
`);
  assert.deepEqual(config.admin, { ip: '127.0.0.1', port: 9000, hosts: [], shutdownGraceMs: 10_000 });
  assert.equal(config.metricsPath, '/prom');
  assert.ok(config.storage.kind === 'io.l5d.inMemory');
  assert.deepEqual(
    config.storage.dtabs.map(({ metadata, value }) => [metadata.name, value.show]),
    [
      ['default', '/svc=>/#/io.l5d.fs'],
      ['empty', ''],
    ],
  );
  assert.deepEqual(
    config.namers.map(({ kind, prefix }) => [kind, prefix.show]),
    [
      ['io.l5d.fs', '/io.l5d.fs'],
      ['io.l5d.dnssrv', '/dns'],
      ['io.l5d.rewrite', '/re'],
    ],
  );
  assert.deepEqual(config.interfaces, [
    { kind: 'io.l5d.httpController', ip: '127.0.0.1', port: 4180, hosts: [], tls: undefined },
  ]);
});

test('the mesh interface has its defaults, and tokens are kept as hashes only', () => {
  const { interfaces, shown } = read(`${SMALL.replace('[{kind: io.l5d.httpController}]', '')}
- kind: io.nodemesh.mesh
  trustDomain: demo.mesh
  ca: {dir: ./ca}
  nodes:
  - {name: a, tokenFile: token}
  - {name: b, tokenSha256: ${'ab'.repeat(32)}}
`);
  const [mesh] = interfaces;
  assert.ok(mesh?.kind === 'io.nodemesh.mesh');
  const { nodes, ...rest } = mesh;
  assert.deepEqual(rest, {
    kind: 'io.nodemesh.mesh',
    ip: '127.0.0.1',
    port: 4321,
    trustDomain: 'demo.mesh',
    dtabNamespace: 'default',
    meshNamespace: 'nodemesh-system',
    certificateTtlMs: 24 * 3_600_000,
    authority: { type: 'own', dir: join(dir, 'ca') },
  });
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.match(nodes[0]?.tokenSha256 ?? '', /^[0-9a-f]{64}$/);
  assert.doesNotMatch(JSON.stringify({ interfaces, shown }), /some length/);
  assert.doesNotMatch(JSON.stringify(shown), /abab/);
});

const REFUSED: [name: string, text: string, ...expected: RegExp[]][] = [
  ['an empty file', '', /1:1: : the configuration is empty/],
  ['no YAML', 'a: [', /flow/i],
  ['two documents', `${SMALL}---\n${SMALL}`, /4:1: : a second document/],
  ['missing parts', 'admin: {}', /'storage' is missing/, /'interfaces' is missing/],
  [
    'unknown kinds',
    'storage: {kind: io.l5d.zk}\ninterfaces: [{kind: io.l5d.mesh}]',
    /1:17: storage\.kind: 'io\.l5d\.zk' is not one of/,
    /2:21: interfaces\[0\]\.kind/,
  ],
  [
    'unknown fields',
    `${SMALL}routers: []\nadmin: {prot: 1}`,
    /4:15: admin\.prot: unknown field 'prot' \(known here: hosts, ip, port, shutdownGraceMs\)/,
    /3:10: routers: unknown field/,
  ],
  [
    'a bad dtab',
    'storage:\n  kind: io.l5d.inMemory\n  namespaces:\n    a: |\n      /x => /y ;\n      /z => ,\ninterfaces: []',
    /6:13: storage\.namespaces\.a: .*',' found/,
  ],
  [
    'a bad namespace',
    'storage: {kind: io.l5d.inMemory, namespaces: {"a b": ""}}\ninterfaces: []',
    /no dtab namespace/,
  ],
  [
    'overlapping prefixes',
    `${SMALL}namers:\n- {kind: io.l5d.fs, rootDir: ., prefix: /a}\n- {kind: io.l5d.dnssrv, prefix: /a/b}`,
    /5:3: namers\[1\]: its prefix \/a\/b overlaps with \/a of io\.l5d\.fs/,
  ],
  ['an empty prefix', `${SMALL}namers:\n- {kind: io.l5d.fs, rootDir: ., prefix: /}`, /an empty prefix/],
  [
    'a bad prefix',
    `${SMALL}namers:\n- {kind: io.l5d.fs, rootDir: ., prefix: "a^"}`,
    /4:43: namers\[0\]\.prefix: /,
  ],
  [
    'a directory that is none',
    `${SMALL}namers: [{kind: io.nodemesh.registry, dir: token}]`,
    /3:44: namers\[0\]\.dir: .* is no directory/,
  ],
  [
    'a bad rewrite',
    `${SMALL}namers: [{kind: io.l5d.rewrite, prefix: /r, pattern: "/{a}", name: "/{b}"}]`,
    /does not capture/,
  ],
  [
    'a bad name server',
    `${SMALL}namers: [{kind: io.l5d.dnssrv, dnsHosts: [ns.example]}]`,
    /no address of a name server/,
  ],
  [
    'a bad address',
    'storage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, ip: localhost, port: 70000}]',
    /'localhost' is no IP/,
    /70000 is out of range/,
  ],
  [
    'two of one interface',
    `${SMALL.trimEnd().slice(0, -1)}, {kind: io.l5d.httpController}]`,
    /the second io\.l5d\.httpController/,
  ],
  [
    'TLS without its files',
    'storage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, tls: {certPath: none.pem, requireClientAuth: true}}]',
    /tls\.certPath: the file cannot be read/,
    /'keyPath' is missing/,
    /'caCertPath' must say/,
  ],
];
for (const [name, text, ...expected] of REFUSED)
  test(`refused: ${name}`, () => {
    const found = problems(text).join('\n');
    for (const each of expected) assert.match(found, each);
    assert.equal(problems(text).length, expected.length, found);
  });

test('refused: everything wrong with a mesh interface, at once', () => {
  const found = problems(`storage: {kind: io.l5d.inMemory}
interfaces:
- kind: io.nodemesh.mesh
  trustDomain: "Bad Domain"
  meshNamespace: A
  dtabNamespace: a/b
  certificateTtlHours: 0
  ca: {dir: x, rootCert: y}
  nodes:
  - {name: "a b", tokenFile: none}
  - {name: c, tokenFile: short}
  - {name: c, tokenSha256: xyz}
  - {name: d}
`);
  const expected = [
    /no trust domain/,
    /no DNS-1123 label/,
    /no dtab namespace/,
    /out of range/,
    /either 'dir'/,
    /no node name/,
    /cannot be read/,
    /shorter than 16/,
    /stands here twice/,
    /64 hexadecimal/,
    /either 'tokenFile'/,
  ];
  for (const each of expected) assert.match(found.join('\n'), each);
  assert.equal(found.length, expected.length, found.join('\n'));
  assert.doesNotMatch(found.join('\n'), /xyz/);
});

test('names by which an interface is spoken to are read in lower case, and must be names', () => {
  const text = (hosts: string) =>
    `admin: {hosts: ${hosts}}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, hosts: ${hosts}}]\n`;
  const { admin, interfaces } = read(text('[Namerd.Corp, namerd]'));
  assert.deepEqual(admin.hosts, ['namerd.corp', 'namerd']);
  assert.deepEqual(interfaces[0]?.kind === 'io.l5d.httpController' && interfaces[0].hosts, admin.hosts);
  for (const wrong of ['["http://a"]', '["a:80"]', '["*"]', '["*.a"]', '[""]', '[1]', 'a'])
    assert.equal(problems(text(wrong)).length, 2, wrong);
});

test('what anybody who reaches it may use is said aloud, unless it listens on loopback', () => {
  const warnings = (admin: string, control: string) =>
    exposures(
      read(
        `admin: {ip: "${admin}"}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, ${control}}]\n`,
      ),
    );
  const TLS = 'tls: {certPath: token, keyPath: token, caCertPath: token';
  assert.deepEqual(exposures(read(SMALL)), []);
  assert.deepEqual(warnings('127.0.0.9', 'ip: "::1"'), []);
  assert.match(warnings('0.0.0.0', 'ip: 127.0.0.1').join(), /^the admin interface listens on 0.0.0.0:9991/);
  for (const ip of ['0.0.0.0', '::', '10.0.0.1', '2001:db8::1']) {
    assert.match(warnings('127.0.0.1', `ip: "${ip}"`).join(), /^io.l5d.httpController listens on .*4180/);
    assert.equal(warnings(ip, `ip: "${ip}", ${TLS}}`).length, 2, 'TLS without client certificates');
    assert.equal(warnings('::1', `ip: "${ip}", ${TLS}, requireClientAuth: true}`).length, 0);
  }
});

test('a node is named as a workload can name it', () => {
  const nodes = (name: string) =>
    problems(
      `storage: {kind: io.l5d.inMemory}\ninterfaces:\n- {kind: io.nodemesh.mesh, trustDomain: a, ca: {dir: ca}, nodes: [{name: "${name}", tokenFile: token}]}\n`,
    );
  assert.deepEqual(nodes('node-1.rack-2.example'), []);
  for (const name of ['Node-1', 'node_1', '-a', 'a.', 'a'.repeat(300), ''])
    assert.match(nodes(name).join('|'), /^[^|]*: no node name: [^|]*DNS-1123 subdomain[^|]*$/, name);
});

test('whatever the text, reading it ends in a configuration or in problems', () => {
  const words = fc.constantFrom(
    'storage',
    'kind',
    'io.l5d.inMemory',
    'interfaces',
    'namers',
    ':',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    ', ',
    '"',
    '&a',
    '*a',
    'null',
    '1',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 40 }), parts => {
      problems(parts.join(''));
    }),
  );
});
