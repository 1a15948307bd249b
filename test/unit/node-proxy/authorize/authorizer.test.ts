import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Policy, PolicyRule, Transport } from '#api';
import { ipBytes } from '#base/net.ts';
import { Authorizer, type Caller, PolicyUnreadable } from '../../../../node-proxy/authorize/index.ts';

const OPEN: Transport = { mode: 'permissive', ports: {} };
const fanboy: Caller = caller('spiffe://demo/ns/calc/sa/mathfanboy', '10.1.0.2', 80);
const stranger: Caller = caller('', '10.9.9.9', 80);

function caller(identity: string, ip: string, port: number): Caller {
  return {
    identity,
    namespace: identity === '' ? '' : (identity.split('/')[4] ?? ''),
    ip: ipBytes(ip) ?? new Uint8Array(),
    port,
  };
}
function policy(id: string, action: Policy['action'], ...rules: PolicyRule[]): Policy {
  return { id, action, rules };
}
const from = (match: PolicyRule['from'][number]): PolicyRule => ({ from: [match], to: [] });
const decide = (who: Caller, ...policies: Policy[]) => new Authorizer(policies, OPEN).decide(who);

describe('authorization', () => {
  it('allows everybody where there is no ALLOW policy', () => {
    assert.deepEqual(decide(stranger), { allowed: true, rule: 'default', audits: [] });
  });

  it('allows only whom an ALLOW rule matches, and names the rule', () => {
    const only = policy('calc/mult', 'ALLOW', from({ identities: ['spiffe://demo/ns/calc/sa/mathfanboy'] }));
    assert.deepEqual(decide(fanboy, only), { allowed: true, rule: 'calc/mult[0]', audits: [] });
    assert.deepEqual(decide(stranger, only), { allowed: false, rule: 'no-allow-matched', audits: [] });
  });

  it('refuses everybody by an ALLOW policy without rules', () => {
    assert.equal(decide(fanboy, policy('a/nobody', 'ALLOW')).allowed, false);
  });

  it('puts DENY before ALLOW', () => {
    const all = policy('a/all', 'ALLOW', { from: [], to: [] });
    const not = policy('a/not', 'DENY', from({ namespaces: ['calc'] }));
    assert.deepEqual(decide(fanboy, all, not), { allowed: false, rule: 'a/not[0]', audits: [] });
  });

  it('only names AUDIT policies', () => {
    const watch = policy('a/watch', 'AUDIT', from({ identities: ['*'] }));
    assert.deepEqual(decide(fanboy, watch), { allowed: true, rule: 'default', audits: ['a/watch[0]'] });
    assert.deepEqual(decide(stranger, watch).audits, []);
  });

  for (const [pattern, matches] of [
    ['*', true],
    ['spiffe://demo/*', true],
    ['*/sa/mathfanboy', true],
    ['spiffe://demo/ns/calc/sa/mathfan', false],
    ['spiffe://other/*', false],
    ['*/sa/other', false],
  ] as const) {
    it(`identity pattern ${pattern} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(decide(fanboy, policy('a/b', 'ALLOW', from({ identities: [pattern] }))).allowed, matches);
      assert.equal(decide(stranger, policy('a/b', 'ALLOW', from({ identities: [pattern] }))).allowed, false);
    });
  }

  it('takes "not any identity" for plaintext callers', () => {
    const deny = policy('a/plain', 'DENY', from({ notIdentities: ['*'] }));
    assert.equal(decide(stranger, deny).allowed, false);
    assert.equal(decide(fanboy, deny).allowed, true);
  });

  it('matches address blocks and ports, and their negations, together', () => {
    const rule: PolicyRule = {
      from: [{ ipBlocks: ['10.1.0.0/16'], notIpBlocks: ['10.1.0.9'] }],
      to: [{ ports: [80, 443], notPorts: [443] }],
    };
    const only = policy('a/b', 'ALLOW', rule);
    assert.equal(decide(caller('', '10.1.0.2', 80), only).allowed, true);
    assert.equal(decide(caller('', '10.1.0.9', 80), only).allowed, false);
    assert.equal(decide(caller('', '10.2.0.2', 80), only).allowed, false);
    assert.equal(decide(caller('', '10.1.0.2', 443), only).allowed, false);
    assert.equal(decide(caller('', '10.1.0.2', 81), only).allowed, false);
  });

  it('refuses to build on an unreadable block instead of guessing', () => {
    assert.throws(
      () => decide(stranger, policy('a/b', 'DENY', from({ ipBlocks: ['10.0.0/8'] }))),
      PolicyUnreadable,
    );
  });

  it('has a transport mode per port', () => {
    const strict = new Authorizer([], { mode: 'strict', ports: { '9090': 'permissive' } });
    assert.equal(strict.plaintextAllowed(80), false);
    assert.equal(strict.plaintextAllowed(9090), true);
  });

  it('never allows more by adding a DENY policy', () => {
    const match = fc.record(
      {
        identities: fc.subarray(['*', 'spiffe://demo/*', '*/sa/x']),
        namespaces: fc.subarray(['calc', 'c*']),
      },
      { requiredKeys: [] },
    );
    const rule = fc.record({ from: fc.array(match, { maxLength: 2 }), to: fc.constant([]) });
    const policies = fc.array(
      fc.record({
        id: fc.constant('a/b'),
        action: fc.constantFrom<Policy['action'][]>('ALLOW', 'DENY', 'AUDIT'),
        rules: fc.array(rule, { maxLength: 2 }),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(policies, rule, fc.constantFrom(fanboy, stranger), (some, extra, who) => {
        const before = decide(who, ...some).allowed;
        const after = decide(who, ...some, policy('a/deny', 'DENY', extra)).allowed;
        assert.ok(before || !after);
      }),
    );
  });
});
