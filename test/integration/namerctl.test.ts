import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLog } from '#base/log.ts';
import { startNamerd } from '../../namerd/app.ts';
import { readConfig } from '../../namerd/config.ts';
import { runNamerctl } from '../../namerd/ctl/program.ts';

interface Ran {
  code: number;
  out: string;
  err: string;
}

interface Setup {
  dir: string;
  /** Runs a command against the namerd. */
  ctl: (args: string, input?: string) => Promise<Ran>;
}

async function start(t: TestContext): Promise<Setup> {
  const dir = mkdtempSync(join(tmpdir(), 'nodemesh-ctl-'));
  t.after(() => rmSync(dir, { recursive: true }));
  await mkdir(join(dir, 'registry'));
  writeFileSync(join(dir, 'registry/calc.yaml'), REGISTRY);
  const text = `
admin: {port: 0}
storage: {kind: io.l5d.inMemory}
namers: [{kind: io.nodemesh.registry, dir: registry}]
interfaces:
- {kind: io.l5d.httpController, port: 0}
- {kind: io.nodemesh.mesh, port: 0, trustDomain: demo.mesh, ca: {dir: ca}}
`;
  const config = readConfig(text, join(dir, 'namerd.yaml'));
  const namerd = await startNamerd({ config, log: silentLog });
  t.after(() => namerd.close());
  const url = `http://127.0.0.1:${namerd.ports.control}`;
  return { dir, ctl: (args, input) => run(args, { dir, input, env: { NAMERCTL_BASE_URL: url } }) };
}

const REGISTRY = `
apiVersion: nodemesh.io/v1alpha1
kind: Service
metadata: {name: division, namespace: calc}
spec: {addresses: [10.96.0.1], ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: division}}
---
apiVersion: nodemesh.io/v1alpha1
kind: Workload
metadata: {name: division-1, namespace: calc, labels: {app: division}}
spec: {node: node-1, addresses: [10.1.0.5]}
`;

/** Words are separated by blanks; `_` stands for a blank within a word. */
async function run(
  args: string,
  {
    dir = '/',
    input = '',
    env = {},
  }: { dir?: string; input?: string | undefined; env?: Record<string, string> },
): Promise<Ran> {
  const ran: Ran = { code: 0, out: '', err: '' };
  await runNamerctl(
    args.split(' ').map(word => word.replaceAll('_', ' ')),
    {
      out: text => {
        ran.out += `${text}\n`;
      },
      err: text => {
        ran.err += `${text}\n`;
      },
      input: async () => input,
      env,
      cwd: dir,
      fetch,
      exitCode: code => {
        ran.code = code;
      },
    },
  );
  return ran;
}

test("Linkerd's commands: create, list, get, update, delete", async t => {
  const { ctl } = await start(t);
  const good = async (args: string, input?: string) => {
    const { code, out, err } = await ctl(args, input);
    assert.deepEqual([code, err], [0, ''], args);
    return out;
  };
  assert.equal(await good('dtab ls'), '');
  assert.equal(await good('dtab create default -', '/svc => /#/a ; /s => /b'), 'Created default\n');
  assert.equal(await good('dtab list'), 'default\n');
  assert.equal(await good('dtab --json list'), '["default"]\n');
  const shown = await good('dtab get default');
  assert.equal(shown, '# version AAAAAAAAAAE=\n/svc => /#/a ;\n/s   => /b ;\n');
  assert.equal(await good('dtab cat default --pretty=false'), '# version AAAAAAAAAAE=\n/svc=>/#/a;/s=>/b\n');
  const json = await good('dtab get default --json');
  assert.deepEqual(JSON.parse(json), {
    version: 'AAAAAAAAAAE=',
    dtab: [
      { prefix: '/svc', dst: '/#/a' },
      { prefix: '/s', dst: '/b' },
    ],
  });
  // What get prints carries its version: it can be edited and given back safely.
  assert.equal(await good('dtab update default -', shown.replace('/b', '/c')), 'Updated default\n');
  const stale = await ctl('dtab up default -', shown);
  assert.equal(stale.code, 1);
  assert.equal(stale.out, '');
  assert.match(stale.err, /^namerctl: 'default' was changed by somebody else/);
  assert.equal((await ctl('dtab up default - --version AAAAAAAAAAE=', '/x=>/y')).code, 1);
  assert.equal(await good('dtab up default - --version AAAAAAAAAAI=', '/x=>/y'), 'Updated default\n');
  assert.equal((await ctl('dtab delete default --version AAAAAAAAAAE=')).code, 1);
  assert.equal(await good('dtab rm default --version AAAAAAAAAAM='), 'Deleted default\n');
});

test('an update without a version is done, with a warning', async t => {
  const { ctl } = await start(t);
  const { code, out, err } = await ctl('dtab update fresh -', '[{"prefix":"/a","dst":"/b"}]');
  assert.deepEqual([code, out], [0, 'Updated fresh\n']);
  assert.match(err, /^warning: without a version/);
});

test('errors go to standard error with an exit code, names are escaped, usage is told', async t => {
  const { ctl } = await start(t);
  const cases: [string, string, number, RegExp][] = [
    ['dtab get none', '', 1, /namerctl: 'none' does not exist/],
    ['dtab get a/b?c', '', 1, /'a\/b\?c' is no dtab namespace/],
    ['dtab create a_b -', '', 1, /no dtab namespace/],
    ['dtab create default -', '/a =>', 1, /end of input found/],
    ['dtab create default -', '{', 2, /no JSON/],
    ['dtab create default missing.dtab', '', 1, /missing\.dtab cannot be read/],
    ['dtab update default - --version x', '# version y\n/a=>/b', 2, /which one/],
    ['dtab frobnicate', '', 2, /unknown command/],
    ['get pods', '', 2, /no kind 'pods': dtabs, /],
    ['get svc calc/none', '', 1, /does not exist/],
    ['get svc a/b -n c', '', 2, /--namespace says c/],
    ['get svc -o xml', '', 2, /no output form/],
    ['delete svc', '', 2, /a kind and a name/],
    ['apply', '', 2, /required option/],
    ['apply -f missing', '', 1, /missing cannot be read/],
    ['bind nonsense', '', 1, /'\/' expected but 'n' found/],
  ];
  for (const [args, input, code, message] of cases) {
    const ran = await ctl(args, input);
    assert.equal(ran.code, code, `${args}: ${ran.err}`);
    assert.equal(ran.out, '', args);
    assert.match(ran.err, message);
  }
});

test('names are explained with what they are bound to', async t => {
  const { ctl } = await start(t);
  await ctl('dtab create default -', '/svc/calc/division => 9 * /#/registry/calc/division & /nowhere');
  const { out } = await ctl('delegate /svc/calc/division/http');
  assert.match(out, /^\/svc\/calc\/division\/http\n {2}1\. .*\(\/svc\/calc\/division => 9\*/);
  assert.match(
    out,
    /90 % \/#\/registry\/calc\/division\/http\n.*bound to .*: 1 address\n.*10\.1\.0\.5:8080 {2}nodeName=node-1/,
  );
  assert.match(out, /10 % \/nowhere\/http {3}~ no answer/);
  assert.match(out, /2\. .*\(\/svc => \/#\/registry\)/);
  const bound = await ctl('bind /svc/calc/division/http');
  assert.match(
    bound.out,
    /^\/svc\/calc\/division\/http\n {2}bound to \/#\/registry\/calc\/division\/http: 1 address/,
  );
  const refused = await ctl('bind /svc/calc/division/http --dtab /svc=>!');
  assert.match(refused.out, /! refused/);
  assert.equal(JSON.parse((await ctl('bind /svc/calc/none/http --json')).out).type, 'neg');
});

const POLICY = `
apiVersion: nodemesh.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: p, namespace: calc}
spec: {selector: {matchLabels: {app: division}}, action: DENY, rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }]}
`;
const ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: division, namespace: calc}
spec:
  parentRefs: [{group: "", kind: Service, name: division}]
  rules:
  - matches: [{path: {value: /a}}]
    backendRefs: [{name: division, port: 80}]
`;
const TRAFFIC = `
apiVersion: nodemesh.io/v1alpha1
kind: TrafficPolicy
metadata: {name: division, namespace: calc}
spec: {targetRef: {kind: Service, name: division}, timeouts: {total: 1s, perTry: 500ms}}
`;
const DTAB = `
apiVersion: nodemesh.io/v1alpha1
kind: Dtab
metadata: {name: default}
spec: {dtab: "/svc => /#/registry"}
`;

test('documents are compared, applied, listed and deleted', async t => {
  const { ctl, dir } = await start(t);
  await mkdir(join(dir, 'docs'));
  writeFileSync(join(dir, 'docs/a.yaml'), `${POLICY}---${DTAB}`);
  const diff = await ctl('diff -f docs');
  assert.equal(diff.code, 1);
  assert.match(diff.out, /^--- namerd AuthorizationPolicy calc\/p\n\+\+\+ docs\/a\.yaml\n@@ -0,0 /);
  assert.match((await ctl('apply -f docs --dry-run')).out, /Dtab default created \(dry run\)/);
  assert.equal((await ctl('get all -n other')).out.includes('Dtab'), false);
  assert.equal(
    (await ctl('apply -f docs')).out,
    'AuthorizationPolicy calc/p created\nDtab default created\n',
  );
  assert.equal((await ctl('apply -f -', POLICY)).out, 'AuthorizationPolicy calc/p unchanged\n');
  assert.deepEqual(await ctl('diff -f docs'), { code: 0, out: '', err: '' });
  const changed = await ctl('apply -f -', POLICY.replace('app: division', 'app: divisoin'));
  assert.deepEqual(changed, {
    code: 0,
    out: 'AuthorizationPolicy calc/p changed\n',
    err: 'warning: the selector matches no workload\n',
  });
  assert.match(
    (await ctl('status')).out,
    /^warning: AuthorizationPolicy calc\/p\n {2}the selector matches no workload\n$/,
  );
  const table = (await ctl('get all')).out;
  assert.match(table, /^KIND +NAME +STATUS +VERSION +SOURCE\nDtab +default +ok /);
  assert.match(table, /Service +calc\/division +ok +- +.*calc\.yaml/);
  assert.match((await ctl('get policy p -n calc')).out, /^apiVersion: .*\nkind: AuthorizationPolicy\n/);
  assert.equal(JSON.parse((await ctl('get policy calc/p -o json')).out).metadata.name, 'p');
  assert.equal((await ctl('delete policy calc/p')).out, 'authorizationpolicies/calc/p deleted\n');
  assert.equal((await ctl('delete -f -', DTAB)).out, 'dtabs/default deleted\n');
  assert.equal((await ctl('get dtabs')).err, 'nothing is there\n');
});

test('routes and traffic policies are applied, listed and deleted like all others', async t => {
  const { ctl } = await start(t);
  const applied = await ctl('apply -f -', `${ROUTE}---${TRAFFIC}`);
  assert.equal(applied.out, 'HTTPRoute calc/division created\nTrafficPolicy calc/division created\n');
  assert.equal((await ctl('apply -f -', ROUTE)).out, 'HTTPRoute calc/division unchanged\n');
  assert.match((await ctl('get all')).out, /\nTrafficPolicy +calc\/division .*\nHTTPRoute +calc\/division /);
  assert.match(
    (await ctl('get http division -n calc')).out,
    /^apiVersion: gateway\.networking\.k8s\.io\/v1\n/,
  );
  assert.match((await ctl('get tp calc/division')).out, /perTry: 500ms/);
  const bad = await ctl('apply -f -', `${TRAFFIC.replace('500ms', '0.5s')}---${ROUTE.replace('/a', 'a')}`);
  assert.deepEqual([bad.code, bad.out], [1, '']);
  assert.match(bad.err, /-:5:\d+: spec\.timeouts\.perTry: a duration such as/);
  assert.match(bad.err, /-:13:\d+: spec\.rules\[0\]\.matches\[0\]\.path\.value: 'a' is no path/);
  assert.equal((await ctl('delete -f -', ROUTE)).out, 'httproutes/calc/division deleted\n');
  assert.equal((await ctl('delete traffic calc/division')).out, 'trafficpolicies/calc/division deleted\n');
  const warned = await ctl('validate -f -', ROUTE.replace('rules:', 'hostnames: [a.b]\n  rules:'));
  assert.equal(warned.out, '1 documents are good\n');
  assert.match(warned.err, /^warning: HTTPRoute calc\/division: spec\.hostnames: /);
});

test('a grant is applied under both versions of the Gateway API, and is the same document', async t => {
  const { ctl } = await start(t);
  const grant = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: from-web, namespace: calc}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: web}]
  to: [{group: "", kind: Service, name: division}]
`;
  const [first, second] = [grant, grant.replace('v1beta1', 'v1')];
  assert.equal((await ctl('apply -f -', first)).out, 'ReferenceGrant calc/from-web created\n');
  assert.equal((await ctl('apply -f -', second)).out, 'ReferenceGrant calc/from-web unchanged\n');
  const typo = await ctl('apply -f -', grant.replace('name: division', 'name: divisoin'));
  assert.equal(typo.err, 'warning: there is no Service calc/divisoin\n');
  assert.match(
    (await ctl('get refgrant from-web -n calc')).out,
    /^apiVersion: gateway\.networking\.k8s\.io\/v1\n/,
  );
  assert.equal((await ctl('delete -f -', grant)).out, 'referencegrants/calc/from-web deleted\n');
});

test('one bad document among several changes nothing', async t => {
  const { ctl } = await start(t);
  const { code, err } = await ctl('apply -f -', `${DTAB}---${POLICY.replace('DENY', 'NO')}`);
  assert.equal(code, 1);
  assert.match(err, /-:10:\d+: spec\.action: 'NO' is not one of/);
  // Refused by namerd only: a file of the registry holds it.
  const service = REGISTRY.split('---')[0];
  const refused = await ctl('apply -f -', `${DTAB}---${service}`);
  assert.match(refused.err, /stands in .*calc\.yaml/);
  assert.equal((await ctl('dtab ls')).out, '');
});

test('documents are checked without a namerd', async () => {
  assert.equal((await run('validate -f -', { input: `${DTAB}---${POLICY}` })).out, '2 documents are good\n');
  const twice = await run('validate -f - -f -', { input: DTAB });
  assert.deepEqual([twice.code, twice.out], [1, '']);
  assert.match(twice.err, /Dtab default stands in - too/);
});

test('the authority is shown and its root replaced', async t => {
  const { ctl } = await start(t);
  assert.match(
    (await ctl('ca status')).out,
    /^trust domain demo\.mesh, root made by namerd\nPHASE .*\nsigning /,
  );
  assert.match(
    (await ctl('ca roots')).out,
    /^-----BEGIN CERTIFICATE-----\n[^-]*-----END CERTIFICATE-----\n$/,
  );
  assert.match((await ctl('ca rotate')).out, /incoming/);
  assert.equal((await ctl('ca roots')).out.match(/BEGIN/g)?.length, 2);
  const again = await ctl('ca rotate');
  assert.equal(again.code, 1);
  assert.match(again.err, /^namerctl: /);
});

test('namerd is found by flag, environment, and a file above', async t => {
  const { dir } = await start(t);
  const nowhere = async (args: string, env: Record<string, string>, at: string) =>
    (await run(args, { dir: at, env })).err.split('\n')[0];
  const deep = join(dir, 'a/b');
  await mkdir(deep, { recursive: true });
  writeFileSync(join(dir, '.namerctl.yaml'), 'base-url: http://127.0.0.1:1\n');
  assert.match((await nowhere('dtab ls', {}, deep)) ?? '', /127\.0\.0\.1:1 cannot be reached/);
  assert.match(
    (await nowhere('dtab ls', { NAMERCTL_BASE_URL: 'http://127.0.0.1:2' }, deep)) ?? '',
    /:2 cannot/,
  );
  assert.match(
    (await nowhere('dtab ls --base-url http://127.0.0.1:3/', { NAMERCTL_BASE_URL: 'x' }, deep)) ?? '',
    /:3 cannot/,
  );
  assert.match((await nowhere('dtab ls --base-url ftp://x', {}, deep)) ?? '', /no base URL/);
  writeFileSync(join(deep, '.namerctl.json'), '{"base_url": 1}');
  assert.match((await nowhere('dtab ls', {}, deep)) ?? '', /unknown field 'base_url'/);
  assert.match((await nowhere('dtab ls --config none', {}, deep)) ?? '', /no configuration file/);
});

test('the command itself runs', async () => {
  const path = fileURLToPath(new URL('../../namerd/namerctl.ts', import.meta.url));
  const help = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, [path, '--help'], (error, out) => (error ? reject(error) : resolve(out))),
  );
  assert.match(help, /Usage: namerctl/);
});
