import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '#base/config.ts';
import {
  KIND_FACTS,
  KINDS,
  kindOf,
  plainResource,
  type Resource,
  readResources,
  showResource,
} from '../../../namerd/resources/index.ts';

const HEAD = 'apiVersion: nodemesh.io/v1alpha1\n';

function problemsOf(text: string): string[] {
  const { problems } = readResources(text, 'f.yaml');
  return problems.map(formatProblem);
}

function one(text: string): Resource {
  const { resources, problems } = readResources(text, 'f.yaml');
  assert.deepEqual(problems, []);
  assert.equal(resources.length, 1);
  return resources[0] as Resource;
}

test('a dtab is read from text or from entries', () => {
  const text = one(
    `${HEAD}kind: Dtab\nmetadata: {name: default}\nspec:\n  dtab: |\n    /a => /b ; # why\n    /c=>/d\n`,
  );
  const list = one(
    `${HEAD}kind: Dtab\nmetadata: {name: default}\nspec:\n  dentries: [{prefix: /a, dst: /b}, {prefix: /c, dst: /d}]\n`,
  );
  assert.ok(text.kind === 'Dtab' && list.kind === 'Dtab');
  assert.equal(text.value.show, '/a=>/b;/c=>/d');
  assert.equal(list.value.show, text.value.show);
});

test('a syntax error in a dtab is reported at its character', () => {
  assert.match(
    problemsOf(
      `${HEAD}kind: Dtab\nmetadata: {name: d}\nspec:\n  dtab: |\n    # a comment\n    /a => /b ;\n    /c => /d,\n`,
    ).join(),
    /^f\.yaml:8:13: spec\.dtab: .*expected but ',' found/,
  );
  assert.match(
    problemsOf(
      `${HEAD}kind: Dtab\nmetadata: {name: d}\nspec: {dentries: [{prefix: /a, dst: "/b ^"}]}\n`,
    ).join(),
    /^f\.yaml:4:41: spec\.dentries\[0\]\.dst: /,
  );
});

test('every problem of every document is reported at once, and the good ones are still read', () => {
  const text = [
    `${HEAD}kind: Dtab\nmetadata: {name: "a b"}\nspec: {dtab: "/a"}`,
    `${HEAD}kind: Dtab\nmetadata: {name: good}\nspec: {dtab: "/a=>/b"}`,
    `apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {}\nstray: 1`,
    `${HEAD}kind: Dtab\nmetadata: {name: good}\nspec: {dtab: ""}`,
  ].join('\n---\n');
  const { resources, problems } = readResources(text, 'f.yaml');
  assert.deepEqual(
    resources.map(({ metadata }) => metadata.name),
    ['good'],
  );
  assert.deepEqual(
    problems.map(({ line, path }) => `${line} ${path}`),
    ['3 metadata.name', '4 spec.dtab', '11 apiVersion', '12 kind', '15 stray', '17 '],
  );
});

test('a dtab has no namespace, other kinds have a default one', () => {
  assert.match(
    problemsOf(`${HEAD}kind: Dtab\nmetadata: {name: a, namespace: b}\nspec: {dtab: ""}`).join(),
    /has no namespace/,
  );
  const policy = one(
    `${HEAD}kind: AuthorizationPolicy\nmetadata: {name: a}\nspec: {action: DENY, rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }]}`,
  );
  assert.equal(policy.metadata.namespace, 'default');
});

test('what is printed reads back as the same, version included', () => {
  const resource = one(
    `${HEAD}kind: AuthorizationPolicy\nmetadata: {name: p.q, namespace: ns, labels: {a/b: c}, annotations: {x: "y\\nz"}, resourceVersion: v1}\nspec: {transport: {mode: strict, ports: {"80": permissive}}}\nstatus: {anything: [goes]}\n`,
  );
  assert.equal(resource.metadata.resourceVersion, 'v1');
  const again = one(showResource(resource, 'v2'));
  assert.equal(again.metadata.resourceVersion, 'v2');
  assert.deepEqual(plainResource(again), plainResource(resource));
});

test('bad metadata is refused with a reason', () => {
  const meta = (metadata: string) =>
    problemsOf(`${HEAD}kind: AuthorizationPolicy\nmetadata: ${metadata}\nspec: {action: ALLOW}`).join('\n');
  assert.match(meta('{name: Upper}'), /no DNS-1123 subdomain/);
  assert.match(meta('{name: a.-b}'), /no DNS-1123 subdomain/);
  assert.match(meta('{name: a, namespace: b.c}'), /no DNS-1123 label/);
  assert.match(meta('{name: a, labels: {"-x": y}}'), /no label name/);
  assert.match(meta('{name: a, labels: {x: "y z"}}'), /no label value/);
  assert.match(meta('{name: a, labels: {x: 1}}'), /a string is expected/);
  assert.match(meta('{name: a, label: {}}'), /unknown field 'label'/);
  assert.match(meta('{namespace: a}'), /'name' is missing/);
  assert.match(meta('{name: a, creationTimestamp: today}'), /creationTimestamp: 'today' is no date/);
  // As tools write documents that no server has seen.
  assert.equal(meta('{name: a, creationTimestamp: null}').includes('creationTimestamp'), false);
  assert.match(meta('3'), /a mapping is expected/);
});

test('texts that are no documents are problems, never exceptions', () => {
  for (const text of ['[', 'a', '- 1', 'a: &x 1\nb: *x', '{', '\u0000', 'kind: Dtab', '---\n...\n---\n'])
    assert.ok(problemsOf(text).length > 0 || text.startsWith('---'), text);
  assert.deepEqual(readResources('', 'f.yaml'), { resources: [], problems: [] });
});

test('every kind has its own apiVersion', () => {
  const of = (apiVersion: string, kind: string) =>
    problemsOf(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\nspec: {}\n`).join('\n');
  const gateway = 'gateway.networking.k8s.io/v1';
  for (const kind of ['HTTPRoute', 'GRPCRoute']) {
    assert.match(of('nodemesh.io/v1alpha1', kind), /is not one of gateway\.networking\.k8s\.io\/v1\n/);
    assert.match(of(`${gateway}beta1`, kind), /'gateway\.networking\.k8s\.io\/v1beta1' is not one of/);
    assert.doesNotMatch(of(gateway, kind), /apiVersion/);
  }
  assert.match(of(gateway, 'TrafficPolicy'), /is not one of nodemesh\.io\/v1alpha1\n/);
  assert.match(
    of('v1', 'Pod'),
    /is not one of nodemesh\.io\/v1alpha1, gateway\.networking\.k8s\.io\/v1, gateway\.networking\.k8s\.io\/v1beta1\n.*kind: 'Pod'/,
  );
});

test('a route is printed with the apiVersion of the Gateway API', () => {
  const route = one(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: calc, creationTimestamp: "2026-01-01T00:00:00Z", generation: 2, uid: x}
spec:
  parentRefs: [{group: "", kind: Service, name: a}]
  rules: [{backendRefs: [{name: a, port: 80}]}]
status: {parents: []}
`);
  assert.equal(plainResource(route)['apiVersion'], 'gateway.networking.k8s.io/v1');
  assert.deepEqual(plainResource(route)['metadata'], {
    name: 'r',
    namespace: 'calc',
    creationTimestamp: '2026-01-01T00:00:00Z',
  });
  assert.deepEqual(plainResource(one(showResource(route))), plainResource(route));
});

test('kinds are known by their plural, singular and short names', () => {
  const cases: [string, string][] = [
    ['httproutes', 'HTTPRoute'],
    ['HTTPRoute', 'HTTPRoute'],
    ['grpcroute', 'GRPCRoute'],
    ['referencegrants', 'ReferenceGrant'],
    ['refgrant', 'ReferenceGrant'],
    ['tp', 'TrafficPolicy'],
    ['trafficpolicies', 'TrafficPolicy'],
    ['policies', 'AuthorizationPolicy'],
  ];
  for (const [word, kind] of cases) assert.equal(kindOf(word), kind);
  const words = KINDS.flatMap(kind => [KIND_FACTS[kind].plural, ...KIND_FACTS[kind].aliases]);
  assert.equal(new Set(words).size, words.length);
});
