import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RouteFilter } from '#api';
import { CompiledAction, redirectLocation } from '../../../../../node-proxy/policy/route/index.ts';
import { action } from '../../../../lib/policy/routes.ts';

type Redirect = Extract<RouteFilter, { kind: 'redirect' }>;

describe('redirects', () => {
  for (const [given, authority, path, location] of [
    [{}, 'web', '/a?b', 'http://web/a?b'],
    [{}, 'web:8080', '/a', 'http://web:8080/a'],
    [{}, 'web:80', '/a', 'http://web/a'],
    [{ scheme: 'https' }, 'web:8080', '/a', 'https://web/a'],
    [{ scheme: 'https', port: 8443 }, 'web', '/a', 'https://web:8443/a'],
    [{ scheme: 'https', port: 443 }, 'web', '/a', 'https://web/a'],
    [{ scheme: 'http' }, 'web:8080', '/a', 'http://web/a'],
    [{ scheme: 'http', port: 80 }, 'web', '/', 'http://web/'],
    [{ port: 443 }, 'web', '/', 'http://web:443/'],
    [{ hostname: 'other.example' }, 'web', '/a?b', 'http://other.example/a?b'],
    [{ hostname: 'other.example' }, 'web:8080', '/a', 'http://other.example:8080/a'],
    [{ hostname: 'other.example' }, '', '/a', 'http://other.example/a'],
    [{ path: { kind: 'full', value: '/new' } }, 'web', '/old/x?q=1', 'http://web/new?q=1'],
    [{ path: { kind: 'prefix', value: '/new' } }, 'web', '/old/x?q=1', 'http://web/new/x?q=1'],
    [{}, '[::1]:81', '/', 'http://[::1]:81/'],
    [{}, '', '/a?b', '/a?b'],
    [{}, '', '//evil.example/x', '/evil.example/x'],
    [{}, 'user@evil.example', '//evil.example', '/evil.example'],
    [{}, 'web', '//evil.example', 'http://web//evil.example'],
    [{}, 'web', '*', 'http://web/'],
    [{}, 'web', '/a\r\nb"<é', 'http://web/a%0D%0Ab%22%3C%E9'],
  ] as [Partial<Redirect>, string, string, string][]) {
    it(`${JSON.stringify(given)} sends ${authority || '(no host)'} ${JSON.stringify(path)} to ${location}`, () => {
      const compiled = compile(given);
      assert.ok(compiled);
      assert.equal(redirectLocation(compiled, { scheme: 'http', authority, path, prefix: '/old' }), location);
    });
  }

  it('know the scheme that a request came with', () => {
    const compiled = compile({ status: 308 });
    assert.equal(compiled?.status, 308);
    const request = { authority: 'web:443', path: '/', prefix: '' } as const;
    assert.equal(redirectLocation(compiled!, { scheme: 'https', ...request }), 'https://web/');
    assert.equal(redirectLocation(compiled!, { scheme: 'http', ...request }), 'http://web:443/');
  });

  it('to what can not be a place are refused', () => {
    for (const given of [
      { scheme: 'javascript' },
      { hostname: 'a\r\nb' },
      { port: 0 },
      { port: 65_536 },
      { port: 1.5 },
      { status: 200 },
      { path: { kind: 'full' as const, value: '/ ' } },
    ]) {
      assert.equal(compile(given), undefined, JSON.stringify(given));
    }
  });

  it('name a place in printable ASCII on the host that is asked for, whatever is sent', () => {
    const compiled = compile({ hostname: 'safe.example' })!;
    const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)) });
    fc.assert(
      fc.property(text, text, (authority, path) => {
        const location = redirectLocation(compiled, {
          scheme: 'http',
          authority,
          path: `/${path}`,
          prefix: '',
        });
        assert.match(location, /^[!-~]+$/);
        assert.equal(new URL(location).hostname, 'safe.example');
        const own = redirectLocation(compile({})!, {
          scheme: 'http',
          authority: '',
          path: `/${path}`,
          prefix: '',
        });
        assert.equal(new URL(own, 'http://safe.example').hostname, 'safe.example');
      }),
      { numRuns: 500 },
    );
  });
});

function compile(given: Partial<Redirect>): CompiledAction['redirect'] {
  return new CompiledAction(action({ filters: [{ kind: 'redirect', status: 302, ...given }] })).redirect;
}
