import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { formatProblem } from '#base/config.ts';
import { type CompiledPolicy, readResources } from '../../../../namerd/resources/index.ts';

function read(spec: unknown): { value: CompiledPolicy | undefined; problems: string[] } {
  const text = stringify({
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'calc' },
    spec,
  });
  const { resources, problems } = readResources(text, 'p.yaml');
  const [resource] = resources;
  return {
    value: resource?.kind === 'AuthorizationPolicy' ? resource.value : undefined,
    problems: problems.map(formatProblem),
  };
}

function compiled(spec: unknown): CompiledPolicy {
  const { value, problems } = read(spec);
  assert.deepEqual(problems, []);
  assert.ok(value);
  return value;
}

test('a policy compiles to what node proxies enforce', () => {
  const rules = [
    {
      from: [
        {
          identities: ['spiffe://demo.mesh/ns/calc/sa/mathfanboy', 'spiffe://demo.mesh/ns/x*', '*/sa/p', '*'],
        },
        { notNamespaces: ['kube-*'], ipBlocks: ['10.0.0.0/8', '2001:db8::1'] },
      ],
      to: [{ ports: [8080], notPorts: [9090] }],
    },
  ];
  const value = compiled({
    selector: { matchLabels: { app: 'multiplication' } },
    rules,
  });
  assert.deepEqual(value, {
    matchLabels: { app: 'multiplication' },
    policy: {
      id: 'calc/p',
      action: 'ALLOW',
      rules,
    },
    transport: undefined,
    warnings: [],
  });
});

test('a policy with transport only decides nothing but the mode', () => {
  const value = compiled({ transport: { mode: 'permissive', ports: { 8080: 'strict' } } });
  assert.equal(value.policy, undefined);
  assert.deepEqual(value.transport, { mode: 'permissive', ports: { 8080: 'strict' } });
});

test('an action without rules is a policy that matches nothing', () => {
  assert.deepEqual(compiled({ action: 'ALLOW' }).policy, { id: 'calc/p', action: 'ALLOW', rules: [] });
  assert.deepEqual(compiled({ action: 'DENY' }).warnings, ['a DENY policy without rules matches nothing']);
});

test('everyone is said explicitly', () => {
  const from = [{ ipBlocks: ['0.0.0.0/0', '::/0'] }];
  assert.deepEqual(compiled({ rules: [{ from }] }).policy?.rules, [{ from, to: [] }]);
  const [known] = compiled({ rules: [{ from: [{ identities: ['*'] }] }] }).policy?.rules ?? [];
  assert.deepEqual(known?.from, [{ identities: ['*'] }]);
});

const NOTHING = /has no value: give it one, or leave the field out/;
const SOURCE_FIELDS = [
  'identities',
  'notIdentities',
  'namespaces',
  'notNamespaces',
  'ipBlocks',
  'notIpBlocks',
] as const;

const REFUSED: readonly (readonly [name: string, spec: unknown, message: RegExp])[] = [
  ['nothing', {}, /says nothing/],
  ['a selector with nothing behind it', { action: 'DENY', selector: null }, NOTHING],
  ['an action with nothing behind it', { action: null, rules: [{ to: [{ ports: [1] }] }] }, NOTHING],
  ['rules with nothing behind it', { action: 'DENY', rules: null }, NOTHING],
  ['a transport with nothing behind it', { action: 'DENY', transport: null }, NOTHING],
  ['transport ports with nothing behind it', { transport: { mode: 'strict', ports: null } }, NOTHING],
  ['from with nothing behind it', { rules: [{ from: null }] }, NOTHING],
  ['to with nothing behind it', { rules: [{ from: [{ identities: ['*'] }], to: null }] }, NOTHING],
  ...SOURCE_FIELDS.map(
    field =>
      [`${field} with nothing behind it`, { rules: [{ from: [{ [field]: null }] }] }, NOTHING] as const,
  ),
  [
    'one of two source fields with nothing behind it',
    { rules: [{ from: [{ identities: ['*'], namespaces: null }] }] },
    NOTHING,
  ],
  ['ports with nothing behind it', { rules: [{ to: [{ ports: null }] }] }, NOTHING],
  ['notPorts with nothing behind it', { rules: [{ to: [{ notPorts: null }] }] }, NOTHING],
  ['a list item with nothing behind it', { rules: [{ from: [null] }] }, /a mapping is expected/],
  ['an identity with nothing behind it', { rules: [{ from: [{ identities: [null] }] }] }, /a string is exp/],
  ['empty rule', { rules: [{}] }, /matches everything; to mean everyone, write .*0\.0\.0\.0\/0.*identities/],
  ['rule with nothing behind it', { rules: [null] }, /a mapping is expected/],
  ['unknown action', { action: 'allow' }, /not one of ALLOW, DENY, AUDIT/],
  ['empty from', { rules: [{ from: [] }] }, /an empty list matches nothing/],
  ['empty entry', { rules: [{ from: [{}] }] }, /an entry without fields matches everything/],
  ['empty target', { rules: [{ to: [{}] }] }, /an entry without fields matches everything/],
  ['empty identities', { rules: [{ from: [{ identities: [] }] }] }, /an empty list/],
  ['empty selector', { action: 'DENY', selector: { matchLabels: {} } }, /an empty selector/],
  ['selector without labels', { action: 'DENY', selector: {} }, /'matchLabels' is missing/],
  [
    'id without scheme',
    { rules: [{ from: [{ identities: ['td/ns/a/sa/b'] }] }] },
    /did you mean 'spiffe:\/\/td\/ns\/a\/sa\/b'/,
  ],
  ['prefix without scheme', { rules: [{ from: [{ identities: ['td/ns/*'] }] }] }, /matches no identity/],
  ['star inside', { rules: [{ from: [{ identities: ['spiffe://td/ns/*/sa/b'] }] }] }, /one '\*' is allowed/],
  ['two stars', { rules: [{ from: [{ namespaces: ['*a*'] }] }] }, /one '\*' is allowed/],
  ['bad namespace', { rules: [{ from: [{ namespaces: ['A'] }] }] }, /no DNS-1123 label/],
  ['empty namespace', { rules: [{ from: [{ namespaces: [''] }] }] }, /an empty text/],
  ['bad block', { rules: [{ from: [{ ipBlocks: ['10.0.0.0/33'] }] }] }, /no address block/],
  ['port as text', { rules: [{ to: [{ ports: ['80'] }] }] }, /a whole number is expected/],
  ['port 0', { rules: [{ to: [{ ports: [0] }] }] }, /out of range/],
  ['mode missing', { transport: { ports: { 80: 'strict' } } }, /'mode' is missing/],
  ['mode unknown', { transport: { mode: 'STRICT' } }, /not one of strict, permissive/],
  ['transport port', { transport: { mode: 'strict', ports: { http: 'strict' } } }, /'http' is no port/],
  ['transport port mode', { transport: { mode: 'strict', ports: { 80: null } } }, /port 80 has no mode/],
];
for (const [name, spec, message] of REFUSED)
  test(`refused: ${name}`, () => {
    const { value, problems } = read(spec);
    assert.equal(value, undefined);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', message);
    assert.match(problems[0] ?? '', /^p\.yaml:\d+:\d+: spec/);
  });

test('a policy whose namespace has no value is refused, not put into the default one', () => {
  const text =
    'apiVersion: nodemesh.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: }\nspec: {action: DENY}\n';
  const { resources, problems } = readResources(text, 'p.yaml');
  assert.deepEqual(resources, []);
  assert.match(problems.map(formatProblem).join(), /'namespace' has no value/);
});
