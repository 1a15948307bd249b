import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NameValue, RouteFilter } from '#api';
import { CompiledAction } from '../../../../../node-proxy/policy/route/index.ts';
import type { HeaderEdits } from '../../../../../node-proxy/policy/view.ts';
import { action } from '../../../../lib/policy/routes.ts';

type HeaderFilter = Extract<RouteFilter, { kind: 'requestHeaders' | 'responseHeaders' }>;

const headers = (given: Partial<HeaderFilter>): HeaderFilter => ({
  kind: 'requestHeaders',
  set: [],
  add: [],
  remove: [],
  ...given,
});
const backend = (name: string, weight: number, ...filters: RouteFilter[]) => ({ name, weight, filters });

describe('header modifiers', () => {
  it('are ready for both protocols', () => {
    const { requestEdits, responseEdits } = new CompiledAction(
      action({
        filters: [
          headers({
            set: [{ name: 'X-Set', value: ' 1 ' }],
            add: [{ name: 'X-Add', value: 'a,b' }],
            remove: ['X-Gone'],
          }),
        ],
      }),
    );
    assert.deepEqual(requestEdits, {
      drop: new Set(['x-gone', 'x-set']),
      lines: 'X-Set: 1\r\nX-Add: a,b\r\n',
      fields: [
        ['x-set', '1'],
        ['x-add', 'a,b'],
      ],
    });
    assert.equal(responseEdits, undefined);
  });

  it('of a backend come after those of the rule', () => {
    const { requestEdits, backends } = new CompiledAction(
      action({
        filters: [headers({ set: [{ name: 'a', value: 'rule' }], add: [{ name: 'b', value: 'rule' }] })],
        backends: [
          backend('/svc/x', 1, headers({ set: [{ name: 'A', value: 'backend' }], remove: ['b'] })),
          backend('/svc/y', 1, headers({ kind: 'responseHeaders', add: [{ name: 'c', value: 'y' }] })),
          backend('/svc/z', 1),
        ],
      }),
    );
    assert.equal(requestEdits?.lines, 'a: rule\r\nb: rule\r\n');
    assert.deepEqual(
      backends.map(each => [each.requestEdits?.lines, each.responseEdits?.lines]),
      [
        ['A: backend\r\n', undefined],
        ['a: rule\r\nb: rule\r\n', 'c: y\r\n'],
        ['a: rule\r\nb: rule\r\n', undefined],
      ],
    );
    assert.deepEqual([...(backends[0]?.requestEdits?.drop ?? [])].sort(), ['a', 'b']);
  });

  it('change a head as each filter in turn would', () => {
    const name = fc.constantFrom('a', 'B', 'b', 'C');
    const pair = fc.record({ name, value: fc.constantFrom('1', '2', '3') });
    const filter = fc
      .record({
        set: fc.array(pair, { maxLength: 2 }),
        add: fc.array(pair, { maxLength: 2 }),
        remove: fc.array(name, { maxLength: 2 }),
      })
      .map(headers);
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 3 }), fc.array(pair, { maxLength: 5 }), (filters, sent) => {
        const edits = new CompiledAction(action({ filters })).requestEdits;
        let head: NameValue[] = sent;
        for (const { set, add, remove } of filters) {
          head = head.filter(field => !remove.some(each => same(each, field.name)));
          for (const field of set) head = [...head.filter(each => !same(each.name, field.name)), field];
          head = [...head, ...add];
        }
        assert.deepEqual(
          edited(sent, edits),
          head.map(each => [each.name.toLowerCase(), each.value]),
        );
        if (edits !== undefined) {
          assert.equal(
            edits.lines.toLowerCase(),
            edits.fields.map(each => `${each[0]}: ${each[1]}\r\n`).join(''),
          );
        }
      }),
    );
  });

  for (const [why, filter] of [
    ['a line feed in a value', headers({ set: [{ name: 'a', value: 'x\r\nevil: 1' }] })],
    ['a character that is cut to a line feed', headers({ add: [{ name: 'a', value: 'x\u010aevil: 1' }] })],
    ['a NUL', headers({ add: [{ name: 'a', value: 'x\0' }] })],
    ['a line feed in a name', headers({ set: [{ name: 'a\nb', value: 'x' }] })],
    ['a colon in a name', headers({ set: [{ name: ':path', value: '/x' }] })],
    ['no name', headers({ remove: [''] })],
    ['the length of the message', headers({ set: [{ name: 'Content-Length', value: '0' }] })],
    ['how it is framed', headers({ remove: ['transfer-encoding'] })],
    ['the connection', headers({ add: [{ name: 'connection', value: 'close' }] })],
    ['the host, beside the rewrite that is for it', headers({ set: [{ name: 'host', value: 'x' }] })],
  ] as const) {
    it(`make every backend invalid with ${why}`, () => {
      const redirect: RouteFilter = { kind: 'redirect', status: 302 };
      const compiled = new CompiledAction(action({ filters: [redirect, filter] }));
      assert.ok(compiled.invalid);
      assert.equal(compiled.requestEdits, undefined);
      assert.equal(compiled.redirect, undefined);
      assert.equal(compiled.backends[0]?.invalid, compiled.invalid);
      assert.equal(compiled.backends[0]?.requestEdits, undefined);
    });
  }
});

describe('a compiled action', () => {
  it('keeps shares, times and the rule for retries', () => {
    const retry = { codes: [503], attempts: 2, backoffMs: 10 };
    const compiled = new CompiledAction(
      action({
        id: 'ns/r[x]',
        grpc: true,
        requestMs: 0,
        backendRequestMs: 5,
        retry,
        backends: [backend('/svc/a', 99), backend('/svc/b', 1), backend('/svc/c', 0)],
      }),
    );
    const { id, grpc, requestMs, backendRequestMs, weights } = compiled;
    assert.deepEqual(
      { id, grpc, requestMs, backendRequestMs, weights, retry: compiled.retry },
      {
        id: 'ns/r[x]',
        grpc: true,
        requestMs: 0,
        backendRequestMs: 5,
        weights: [99, 1, 0],
        retry,
      },
    );
    assert.deepEqual(
      compiled.backends.map(each => [each.name, each.weight, each.invalid]),
      [
        ['/svc/a', 99, undefined],
        ['/svc/b', 1, undefined],
        ['/svc/c', 0, undefined],
      ],
    );
  });

  it('makes only that backend invalid that is, or whose filter is', () => {
    const { invalid, backends } = new CompiledAction(
      action({
        backends: [
          { ...backend('/svc/a', 1), invalid: 'no such Service' },
          backend('/svc/b', 1, headers({ remove: ['te'] })),
          backend('/svc/c', 1, { kind: 'mirror' } as unknown as RouteFilter),
          backend('/svc/d', 1),
        ],
      }),
    );
    assert.equal(invalid, undefined);
    assert.deepEqual(
      backends.map(each => each.invalid),
      ['no such Service', 'te is no header that routes may change', 'unknown filter "mirror"', undefined],
    );
  });

  it('rewrites the host and path; a backend may say otherwise of either', () => {
    const rule: RouteFilter = {
      kind: 'rewrite',
      hostname: 'rule.example',
      path: { kind: 'prefix', value: '/rule' },
    };
    const { backends, rewriteHost } = new CompiledAction(
      action({
        filters: [rule],
        backends: [
          backend('/svc/a', 1),
          backend('/svc/b', 1, { kind: 'rewrite', hostname: 'b.example' }),
          backend('/svc/c', 1, { kind: 'rewrite', path: { kind: 'full', value: '/c' } }),
        ],
      }),
    );
    assert.equal(rewriteHost, 'rule.example');
    assert.deepEqual(
      backends.map(each => [each.rewriteHost, each.rewritePath('/api/x?q', '/api')]),
      [
        ['rule.example', '/rule/x?q'],
        ['b.example', '/rule/x?q'],
        ['rule.example', '/c?q'],
      ],
    );
  });

  // The table of the Gateway API's HTTPPathModifier.
  for (const [path, prefix, value, changed] of [
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/bar', '', '/xyz', '/xyz/bar'],
    ['/', '', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', 'xyz', '/xyz/bar'],
    ['/foo/bar?a=/foo', '/foo', '/xyz', '/xyz/bar?a=/foo'],
    ['/foo?a', '/foo', '/xyz', '/xyz?a'],
    ['/foo/bar?a', '/foo', '/foo', undefined],
    ['*', '', '/xyz', undefined],
  ] as const) {
    it(`makes ${path} ${changed} with ${value} for ${prefix}`, () => {
      const rewrite: RouteFilter = { kind: 'rewrite', path: { kind: 'prefix', value } };
      assert.equal(new CompiledAction(action({ filters: [rewrite] })).rewritePath(path, prefix), changed);
    });
  }

  it('replaces the whole path, never the query', () => {
    const whole = new CompiledAction(
      action({ filters: [{ kind: 'rewrite', path: { kind: 'full', value: '/one/' } }] }),
    );
    assert.equal(whole.rewritePath('/a/b?c=d?e', '/a'), '/one/?c=d?e');
    assert.equal(whole.rewritePath('/a', ''), '/one/');
    assert.equal(whole.rewritePath('/one/?x', ''), undefined);
    assert.equal(new CompiledAction(action({})).rewritePath('/a', ''), undefined);
  });

  it('refuses what is no path or host', () => {
    for (const value of ['/a b', '/a\r\n', '/a?b', '/a#b', '/é', '/%zz', '/a\\b']) {
      const { invalid } = new CompiledAction(
        action({ filters: [{ kind: 'rewrite', path: { kind: 'full', value } }] }),
      );
      assert.match(invalid ?? '', /is not a path$/, value);
    }
    for (const hostname of ['', 'a b', 'a\r\nb', 'u@h', 'a/b', '[::1', 'h:x']) {
      const { invalid } = new CompiledAction(action({ filters: [{ kind: 'rewrite', hostname }] }));
      assert.match(invalid ?? '', /is not a host$/, hostname);
    }
  });
});

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** What a codec does with edits. */
function edited(
  sent: { name: string; value: string }[],
  edits: HeaderEdits | undefined,
): (readonly [string, string])[] {
  return [
    ...sent
      .filter(each => !edits?.drop.has(each.name.toLowerCase()))
      .map(each => [each.name.toLowerCase(), each.value] as const),
    ...(edits?.fields ?? []),
  ];
}
