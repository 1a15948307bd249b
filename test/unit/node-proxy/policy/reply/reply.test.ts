import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MeshError } from '#base/errors.ts';
import {
  grpcMessage,
  grpcStatusOf,
  type HttpReason,
  HttpRefusal,
  isGrpc,
  REASONS,
  replyTo,
} from '../../../../../node-proxy/policy/reply/index.ts';
import { ConnectionRefused } from '../../../../../node-proxy/tunnel/index.ts';

describe('a refusal', () => {
  it('has the status of its reason, who has to act, and what to check', () => {
    const refusal = new HttpRefusal('no_route', 'no route fits GET /a');
    assert.equal(refusal.status, 404);
    assert.equal(refusal.code, 'NM_HTTP_NO_ROUTE');
    assert.equal(refusal.by, 'config');
    assert.match(refusal.next ?? '', /HTTPRoutes/);
  });

  it('takes advice from its cause, which knows better, and a status that is said', () => {
    const cause = new MeshError('NM_X', 'too long', { by: 'client', next: 'Send less.' });
    const refusal = new HttpRefusal('bad_response', 'too long', cause, 431);
    assert.deepEqual([refusal.status, refusal.by, refusal.next], [431, 'client', 'Send less.']);
    const silent = new HttpRefusal('bad_response', 'x', new MeshError('NM_X', 'x', { by: 'mesh' }));
    assert.equal(silent.next, REASONS.bad_response.next);
  });

  it('says of a refused connection what it means to the request', () => {
    for (const [refused, reason, status] of [
      ['connect_timeout', 'connect_failed', 502],
      ['tls_failure', 'connect_failed', 502],
      ['policy', 'policy', 403],
      ['plaintext_refused', 'policy', 403],
      ['no_endpoints', 'no_endpoints', 503],
      ['unbound', 'unbound', 502],
      ['stream_limit', 'overloaded', 503],
      ['draining', 'draining', 503],
    ] as const) {
      const refusal = HttpRefusal.of(new ConnectionRefused(refused, 'why'));
      assert.deepEqual([refusal.reason, refusal.status, refusal.message], [reason, status, 'why']);
    }
  });

  it('tells nobody outside what failed within', () => {
    for (const error of [new Error('secret'), 'secret', new MeshError('NM_KEY', 'secret', { by: 'mesh' })]) {
      const refusal = HttpRefusal.of(error);
      assert.equal(refusal.reason, 'internal');
      assert.equal(refusal.cause, error);
      assert.ok(!JSON.stringify([replyTo(refusal, false), replyTo(refusal, true)]).includes('secret'));
    }
    const known = new HttpRefusal('policy', 'x');
    assert.equal(HttpRefusal.of(known), known);
  });
});

describe('the answer', () => {
  it('says what happened and what to check', () => {
    const reply = replyTo(new HttpRefusal('policy', 'refused by shop/readers[1]'), false);
    assert.equal(reply.status, 403);
    assert.equal(reply.grpcStatus, -1);
    assert.equal(
      reply.body,
      '403 policy: refused by shop/readers[1]\n' +
        'An authorization policy refused it: the rule that is named, or none of those that allow (no-allow-matched).\n',
    );
    assert.deepEqual(reply.fields, [
      ['content-type', 'text/plain; charset=utf-8'],
      ['x-content-type-options', 'nosniff'],
      ['l5d-err', 'policy%3A+refused+by+shop%2Freaders%5B1%5D'],
    ]);
  });

  it('to gRPC is trailers alone', () => {
    const reply = replyTo(new HttpRefusal('no_endpoints', 'none of 100% of /svc/é'), true);
    assert.deepEqual(reply, {
      status: 200,
      grpcStatus: 14,
      fields: [
        ['content-type', 'application/grpc'],
        ['grpc-status', '14'],
        ['grpc-message', 'no_endpoints: none of 100%25 of /svc/%C3%A9'],
        ['l5d-err', 'no_endpoints%3A+none+of+100%25+of+%2Fsvc%2F%C3%A9'],
      ],
      body: '',
    });
  });

  it('to gRPC has the status that its reason means', () => {
    const statuses: Partial<Record<HttpReason, number>> = {
      no_route: 12,
      unidentified: 13,
      policy: 7,
      unbound: 14,
      connect_failed: 14,
      overloaded: 14,
      timeout_total: 4,
      timeout_try: 4,
      body_too_large: 8,
      invalid_backend: 2,
    };
    for (const [reason, status] of Object.entries(statuses)) {
      assert.equal(replyTo(new HttpRefusal(reason as HttpReason, ''), true).grpcStatus, status, reason);
    }
  });

  it('of a redirect is its status and place', () => {
    for (const grpc of [false, true]) {
      assert.deepEqual(replyTo({ status: 307, location: 'https://web/' }, grpc), {
        status: 307,
        grpcStatus: -1,
        fields: [['location', 'https://web/']],
        body: '',
      });
    }
  });

  it('is bounded printable ASCII in its fields, and bounded text in its body, whatever it quotes', () => {
    const quoted = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'binary', minLength: 900, maxLength: 1_100, size: 'max' }),
      fc.constantFrom('\r\nevil: 1', '\u010a', '\ud800', '\u{1f600}'.repeat(3_000), '%'.repeat(5_000)),
    );
    fc.assert(
      fc.property(quoted, fc.boolean(), (message, grpc) => {
        const { fields, body } = replyTo(new HttpRefusal('bad_request', message), grpc);
        for (const [name, value] of fields) {
          assert.match(name, /^[a-z0-9-]+$/);
          assert.match(value, /^[ -~]+$/);
          assert.ok(value.length <= 10_000, `${name} has ${value.length}`);
          assert.doesNotThrow(() => decodeURIComponent(value.replace(/(%[0-9A-F]{2})+$/, '')), value);
        }
        const err = fields.find(([name]) => name === 'l5d-err')?.[1] ?? '';
        assert.ok(err.length > 0 && err.length <= 2_000);
        assert.ok(body.length <= 2_000);
      }),
      { numRuns: 300 },
    );
  });
});

it('every reason has a status that is an error, and advice', () => {
  for (const [reason, { status, next }] of Object.entries(REASONS)) {
    assert.ok(status >= 400 && status < 600, reason);
    assert.match(next, /^\S.*[.?]$/, reason);
    assert.match(reason, /^[a-z_]+$/);
  }
});

describe('gRPC', () => {
  it('is told by its content type', () => {
    for (const type of [
      'application/grpc',
      'application/grpc+proto',
      'application/grpc;x=y',
      'Application/gRPC ; x',
    ]) {
      assert.ok(isGrpc(type), type);
    }
    for (const type of [
      undefined,
      '',
      'application/grpc-web',
      'application/grpc-web+proto',
      'application/grpcx',
      'text/plain',
    ]) {
      assert.ok(!isGrpc(type), String(type));
    }
  });

  it('reads HTTP statuses as its specification says', () => {
    const statuses = [400, 401, 403, 404, 429, 502, 503, 504, 500, 200, 408];
    assert.deepEqual(statuses.map(grpcStatusOf), [13, 16, 7, 12, 14, 14, 14, 14, 2, 2, 2]);
  });

  it('messages come back as they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        assert.match(grpcMessage(text), /^[ -~]*$/);
        assert.equal(decodeURIComponent(grpcMessage(text)), text.toWellFormed());
      }),
    );
  });
});
