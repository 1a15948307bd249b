import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainResource, readResources, showResource } from '../../../../namerd/resources/index.ts';
import { assertRefused, goodSpec } from '../../../lib/documents/read-spec.ts';

const GROUP = 'gateway.networking.k8s.io';
const FROM = { group: GROUP, kind: 'HTTPRoute', namespace: 'n' };
const TO = { group: '', kind: 'Service' };

test('says which routes may refer to which services', () => {
  const grpc = { group: GROUP, kind: 'GRPCRoute', namespace: 'm' };
  assert.deepEqual(goodSpec('ReferenceGrant', { from: [FROM, grpc], to: [{ ...TO, name: 'a' }] }), {
    from: [
      { kind: 'http', namespace: 'n' },
      { kind: 'grpc', namespace: 'm' },
    ],
    services: ['a'],
    warnings: [],
  });
  const all = goodSpec('ReferenceGrant', { from: [FROM], to: [{ ...TO, name: 'a' }, TO] });
  assert.equal(all.services, 'all');
});

test('a Service that is called "all" is one Service', () => {
  const { services } = goodSpec('ReferenceGrant', { from: [FROM], to: [{ ...TO, name: 'all' }] });
  assert.deepEqual(services, ['all']);
});

test('entries about what the mesh has not are kept, ignored and remarked', () => {
  const { from, services, warnings } = goodSpec('ReferenceGrant', {
    from: [{ ...FROM, kind: 'Gateway' }, { ...FROM, group: '' }, FROM],
    to: [
      { group: '', kind: 'Secret', name: 'a.b' },
      { group: 'x.io', kind: 'Service' },
    ],
  });
  assert.deepEqual(from, [{ kind: 'http', namespace: 'n' }]);
  assert.deepEqual(services, []);
  assert.equal(warnings.length, 4);
  assert.match(
    warnings[0] ?? '',
    /^spec\.from\[0\]: gateway\.networking\.k8s\.io\/Gateway has no effect here/,
  );
  assert.match(warnings[3] ?? '', /^spec\.to\[1\]: x\.io\/Service has no effect here/);
});

test('what is no grant is refused with its place', () => {
  const cases: [unknown, RegExp][] = [
    [{ from: [FROM] }, /the field 'to' is missing/],
    [{ from: [], to: [TO] }, /'from' has at least one entry/],
    [{ from: [FROM], to: [] }, /'to' has at least one entry/],
    [{ from: Array(17).fill(FROM), to: [TO] }, /17 entries of 'from': at most 16/],
    [{ from: [{ group: GROUP, kind: 'HTTPRoute' }], to: [TO] }, /'namespace' is missing/],
    [{ from: [{ kind: 'HTTPRoute', namespace: 'n' }], to: [TO] }, /'group' is missing/],
    [{ from: [{ ...FROM, namespace: '*' }], to: [TO] }, /no DNS-1123 label/],
    [{ from: [{ ...FROM, name: 'r' }], to: [TO] }, /unknown field 'name'/],
    [{ from: [FROM], to: [{ kind: 'Service' }] }, /'group' is missing/],
    [{ from: [FROM], to: [{ group: '' }] }, /'kind' is missing/],
    // Nothing behind it is not "all services".
    [{ from: [FROM], to: [{ ...TO, name: null }] }, /'name' has no value/],
    [{ from: [FROM], to: [{ ...TO, name: '' }] }, /no DNS-1123 label/],
    [{ from: [FROM], to: [{ ...TO, namespace: 'n' }] }, /unknown field 'namespace'/],
    [{ from: [FROM], to: [TO], status: {} }, /unknown field 'status'/],
  ];
  for (const [spec, message] of cases) assertRefused('ReferenceGrant', spec, message);
});

test('is read as v1 and v1beta1, and shown as v1', () => {
  const document = (version: string) =>
    readResources(
      `apiVersion: ${GROUP}/${version}\nkind: ReferenceGrant\nmetadata: {name: g, namespace: n}\nspec: ${JSON.stringify({ from: [FROM], to: [TO] })}`,
      'f.yaml',
    );
  const [v1, beta] = [document('v1'), document('v1beta1')].map(({ resources }) => resources[0]);
  assert.ok(v1 && beta);
  assert.deepEqual(plainResource(beta), plainResource(v1));
  assert.equal(plainResource(v1)['apiVersion'], `${GROUP}/v1`);
  assert.deepEqual(readResources(showResource(beta), 'f.yaml').problems, []);
  assert.match(
    document('v1alpha2').problems[0]?.message ?? '',
    /is not one of gateway\.networking\.k8s\.io\/v1, gateway\.networking\.k8s\.io\/v1beta1/,
  );
});
