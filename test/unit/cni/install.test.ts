import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { install, uninstall } from '../../../cni-plugin/install/install.ts';
import {
  InstallError,
  isSameList,
  readNetworkList,
  withoutPlugin,
  withPlugin,
} from '../../../cni-plugin/install/network-list.ts';

const LIST = `{
    "name": "pods", "cniVersion": "1.0.0",
    "disableCheck": true,
    "plugins": [ { "type": "bridge", "bridge": "cni0" }, { "type": "portmap", "capabilities": {"portMappings": true} } ]
}
`;
const SINGLE = '{"cniVersion":"0.4.0","name":"old","type":"ptp","ipam":{"type":"host-local"}}';

let root: string;
let dirs: { confDir: string; binDir: string };
let binary: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nm-install-'));
  dirs = { confDir: join(root, 'net.d'), binDir: join(root, 'bin') };
  mkdirSync(dirs.confDir);
  mkdirSync(dirs.binDir);
  binary = join(root, 'built');
  writeFileSync(binary, '#!/bin/true\n');
});
afterEach(() => rmSync(root, { recursive: true }));

const conf = (name: string) => join(dirs.confDir, name);
const plugins = (name: string) => JSON.parse(readFileSync(conf(name), 'utf8')).plugins as { type: string }[];
const all = () =>
  Object.fromEntries(
    [dirs.confDir, dirs.binDir].flatMap(dir =>
      readdirSync(dir).map(name => [
        name,
        `${statSync(join(dir, name)).mode} ${readFileSync(join(dir, name), 'utf8')}`,
      ]),
    ),
  );

test('installed twice is installed once; uninstalled to the byte', () => {
  writeFileSync(conf('10-pods.conflist'), LIST);
  chmodSync(conf('10-pods.conflist'), 0o600);
  const before = all();
  assert.equal(install(dirs, binary, { socket: '/run/x.sock', excludedNamespaces: ['a'] }).length, 2);
  assert.deepEqual(plugins('10-pods.conflist').at(-1), {
    type: 'nodemesh',
    socket: '/run/x.sock',
    excludedNamespaces: ['a'],
  });
  assert.equal(JSON.parse(readFileSync(conf('10-pods.conflist'), 'utf8')).disableCheck, true);
  assert.equal(statSync(conf('10-pods.conflist')).mode & 0o777, 0o600);
  assert.equal(statSync(join(dirs.binDir, 'nodemesh')).mode & 0o777, 0o755);
  const after = all();
  assert.deepEqual(install(dirs, binary, { socket: '/run/x.sock', excludedNamespaces: ['a'] }), []);
  assert.deepEqual(all(), after);
  assert.equal(uninstall(dirs).length, 2);
  assert.deepEqual(all(), before);
  assert.deepEqual(uninstall(dirs), []);
});

test('other settings and another executable replace ours', () => {
  writeFileSync(conf('10-pods.conflist'), LIST);
  const before = all();
  install(dirs, binary);
  writeFileSync(binary, '#!/bin/false\n');
  assert.equal(install(dirs, binary, { timeoutSeconds: 5 }).length, 2);
  assert.deepEqual(
    plugins('10-pods.conflist').map(({ type }) => type),
    ['bridge', 'portmap', 'nodemesh'],
  );
  assert.equal(readFileSync(join(dirs.binDir, 'nodemesh'), 'utf8'), '#!/bin/false\n');
  uninstall(dirs);
  assert.deepEqual(all(), before);
});

test('a single plugin becomes a list, and itself again', () => {
  writeFileSync(conf('05-old.conf'), SINGLE);
  writeFileSync(conf('10-pods.conflist'), LIST);
  const before = all();
  install(dirs, binary);
  assert.deepEqual(readdirSync(dirs.confDir), [
    '05-old.conf.before-nodemesh',
    '05-old.conflist',
    '10-pods.conflist',
  ]);
  assert.deepEqual(JSON.parse(readFileSync(conf('05-old.conflist'), 'utf8')), {
    cniVersion: '0.4.0',
    name: 'old',
    plugins: [{ type: 'ptp', ipam: { type: 'host-local' } }, { type: 'nodemesh' }],
  });
  assert.deepEqual(install(dirs, binary), []);
  uninstall(dirs);
  assert.deepEqual(all(), before);
});

test('an installation that was cut short is completed', () => {
  writeFileSync(conf('05-old.conf'), SINGLE);
  install(dirs, binary);
  writeFileSync(conf('05-old.conf'), SINGLE);
  install(dirs, binary);
  assert.deepEqual(readdirSync(dirs.confDir), ['05-old.conf.before-nodemesh', '05-old.conflist']);
});

test('what somebody changed in between stays changed', () => {
  writeFileSync(conf('10-pods.conflist'), LIST);
  install(dirs, binary);
  writeFileSync(
    conf('10-pods.conflist'),
    readFileSync(conf('10-pods.conflist'), 'utf8').replace('cni0', 'cni9'),
  );
  const [first] = uninstall(dirs);
  assert.match(first ?? '', /has changed since/);
  assert.deepEqual(plugins('10-pods.conflist'), [
    { type: 'bridge', bridge: 'cni9' },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]);
  assert.deepEqual(readdirSync(dirs.confDir), ['10-pods.conflist']);
});

test('the network the runtime uses is the one that is changed', () => {
  writeFileSync(conf('00-broken.conflist'), '{');
  writeFileSync(conf('01-empty.conflist'), '{"name":"x","cniVersion":"1.0.0","plugins":[]}');
  writeFileSync(conf('02-notes.txt'), 'not for runtimes');
  writeFileSync(conf('10-a.conflist'), LIST);
  writeFileSync(conf('20-b.conflist'), LIST);
  install(dirs, binary);
  assert.equal(plugins('10-a.conflist').length, 3);
  assert.equal(plugins('20-b.conflist').length, 2);
});

test('what can not be is refused with a reason, and nothing is changed', () => {
  const refused = (message: RegExp, settings = {}) => {
    const before = all();
    assert.throws(
      () => install(dirs, binary, settings),
      (error: unknown) => {
        assert(error instanceof InstallError);
        assert.match(`${error.message} ${error.next}`, message);
        return true;
      },
    );
    assert.deepEqual(all(), before);
  };
  refused(/has no network configuration .*--conf-dir/);
  writeFileSync(conf('00-broken.conflist'), '{');
  refused(/could be read \(00-broken\.conflist\)/);
  writeFileSync(conf('10-old.conflist'), LIST.replace('1.0.0', '0.2.0'));
  refused(/"0\.2\.0" .*0\.3\.1/);
  writeFileSync(conf('05-both.conf'), SINGLE);
  refused(/"socket" must be an absolute path/, { socket: 'x' });
  refused(/"timeoutSeconds"/, { timeoutSeconds: Number.NaN });
  writeFileSync(conf('05-both.conflist'), LIST);
  refused(/both .*05-both\.conf and /);
});

test('putting in and taking out is nothing, for any list', () => {
  const plugin = fc.record({ type: fc.string({ minLength: 1 }), x: fc.jsonValue() });
  const list = fc.record({
    name: fc.string(),
    cniVersion: fc.constantFrom('0.3.1', '1.0.0', '1.1.0'),
    plugins: fc.array(plugin, { minLength: 1 }),
    other: fc.jsonValue(),
  });
  fc.assert(
    fc.property(list, list => {
      const read = readNetworkList(JSON.stringify(list));
      assert(read !== undefined);
      const added = withPlugin(read, { socket: '/s' });
      assert.deepEqual(withPlugin(added, { socket: '/s' }), added);
      assert(isSameList(withoutPlugin(added), read));
    }),
  );
});

test('any text is a list or nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      const list = readNetworkList(text);
      assert(list === undefined || list.plugins.length > 0);
    }),
  );
});

test('a list of another age is left alone when we go', () => {
  writeFileSync(conf('20-ancient.conflist'), LIST.replace('1.0.0', '0.1.0'));
  writeFileSync(conf('10-pods.conflist'), LIST);
  const before = all();
  install(dirs, binary);
  uninstall(dirs);
  assert.deepEqual(all(), before);
});

test('the command line', () => {
  const main = join(import.meta.dirname, '../../../cni-plugin/install/main.ts');
  writeFileSync(conf('10-pods.conflist'), LIST);
  const where = ['--conf-dir', dirs.confDir, '--bin-dir', dirs.binDir];
  const options = [
    '--binary',
    binary,
    '--excluded-namespace',
    'a',
    '--excluded-namespace',
    'b',
    '--timeout-seconds',
    '3',
  ];
  const output = execFileSync(process.execPath, [main, 'install', ...where, ...options], {
    encoding: 'utf8',
  });
  assert.match(output, /^copied .*\nadded nodemesh to network pods/);
  assert.deepEqual(plugins('10-pods.conflist').at(-1), {
    type: 'nodemesh',
    excludedNamespaces: ['a', 'b'],
    timeoutSeconds: 3,
  });
  const bad = spawnSync(process.execPath, [main, 'install', ...where], { encoding: 'utf8' });
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /^usage: install --binary FILE/);
});
