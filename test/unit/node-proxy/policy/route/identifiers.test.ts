import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Identifier } from '#api';
import { parsePath } from '#names';
import { Identifiers, OWN_NAME } from '../../../../../node-proxy/policy/route/index.ts';
import { request } from '../../../../lib/policy/routes.ts';

type Given = Parameters<typeof request>[0];

describe('the name of a request', () => {
  const host: Identifier = { kind: 'header', prefix: '/svc', header: 'host' };
  const header: Identifier = { kind: 'header', prefix: '/svc', header: 'x-svc' };
  const headerPath: Identifier = { kind: 'headerPath', prefix: '/svc', header: 'l5d-name' };
  const path = (segments: number, consume = false): Identifier => ({
    kind: 'path',
    prefix: '/svc',
    segments,
    consume,
  });
  const methodAndHost = (uri: boolean): Identifier => ({ kind: 'methodAndHost', prefix: '/http', uri });

  for (const [identifier, given, name] of [
    [host, { authority: 'Web:8080' }, '/svc/Web:8080'],
    [{ ...host, prefix: '/host' }, { authority: 'web.ns.svc' }, '/host/web.ns.svc'],
    [host, { authority: '[::1]:80' }, '/svc/[::1]:80'],
    [host, { authority: '' }, undefined],
    [header, { headers: { 'x-svc': 'web' } }, '/svc/web'],
    [header, { headers: { 'x-svc': '' } }, undefined],
    [header, {}, undefined],
    [header, { headers: { 'x-svc': 'a/b' } }, '/svc/\\x61\\x2f\\x62'],
    [header, { headers: { 'x-svc': '..' } }, undefined],
    [header, { headers: { 'x-svc': '.' } }, undefined],
    [header, { headers: { 'x-svc': '\xe9' } }, '/svc/\\xe9'],
    [header, { headers: { 'x-svc': 'x'.repeat(1_000) } }, `/svc/${'x'.repeat(1_000)}`],
    [header, { headers: { 'x-svc': 'x'.repeat(1_001) } }, undefined],
    [{ ...header, prefix: '/' }, { headers: { 'x-svc': '$' } }, undefined],
    [headerPath, { headers: { 'l5d-name': '/a/b' } }, '/svc/a/b'],
    [headerPath, { headers: { 'l5d-name': '/$/inet/169.254.169.254/80' } }, '/svc/$/inet/169.254.169.254/80'],
    [{ ...headerPath, prefix: '/' }, { headers: { 'l5d-name': '/$/inet/127.1/80' } }, undefined],
    [{ ...headerPath, prefix: '/' }, { headers: { 'l5d-name': '/\\x24/inet/127.1/80' } }, undefined],
    [{ ...headerPath, prefix: '/' }, { headers: { 'l5d-name': '/#/registry/a/b/c' } }, undefined],
    [{ ...headerPath, prefix: '/' }, { headers: { 'l5d-name': '/svc/web' } }, '/svc/web'],
    [path(1), { path: '/a/b?c' }, '/svc/a'],
    [path(2), { path: '/a/b?c' }, '/svc/a/b'],
    [path(2), { path: '/a' }, undefined],
    [path(2), { path: '/a/' }, undefined],
    [path(2), { path: '/a?x=/b' }, undefined],
    [path(1), { path: '//a' }, undefined],
    [path(1), { path: '/../a' }, undefined],
    [path(1), { path: '*' }, undefined],
    [path(1), { path: '/a%2fb' }, '/svc/a%2fb'],
    [methodAndHost(false), { method: 'GET', authority: 'Web:80', path: '/a' }, '/http/1.1/GET/web:80'],
    [methodAndHost(true), { method: 'PUT', authority: 'web', path: '/a/b/?c' }, '/http/1.1/PUT/web/a/b'],
    [methodAndHost(true), { authority: 'web', path: '/' }, '/http/1.1/GET/web'],
    [methodAndHost(true), { authority: 'web', path: '/a//b' }, undefined],
    [
      methodAndHost(true),
      { authority: 'web', path: `/${'a/'.repeat(600)}` },
      '/http/1.1/GET/web'.concat('/a'.repeat(600)),
    ],
    [methodAndHost(true), { authority: 'web', path: `/${'a/'.repeat(1_200)}` }, undefined],
    [methodAndHost(false), { authority: '' }, undefined],
    [{ kind: 'static', path: '/#/registry/ns/web/http' }, {}, '/#/registry/ns/web/http'],
    [{ kind: 'service' }, {}, OWN_NAME],
    [{ kind: 'static', path: 'no path' }, {}, undefined],
  ] as [Identifier, Given, string | undefined][]) {
    const { kind } = identifier;
    it(`by ${kind}: ${JSON.stringify(given).slice(0, 80)} is ${name?.slice(0, 60)}`, () => {
      assert.equal(new Identifiers([identifier]).identify(request(given)), name);
    });
  }

  it('is given by the first identifier that applies', () => {
    const identifiers = new Identifiers([header, path(2), { kind: 'service' }]);
    assert.equal(identifiers.identify(request({ path: '/a/b', headers: { 'x-svc': 'web' } })), '/svc/web');
    assert.equal(identifiers.identify(request({ path: '/a/b' })), '/svc/a/b');
    assert.equal(identifiers.identify(request({ path: '/a' })), OWN_NAME);
  });

  it('is none where a header says one that can not be read, whatever comes after', () => {
    const identifiers = new Identifiers([headerPath, { kind: 'service' }]);
    for (const value of ['a', '/a/', '/a//b', '/a b', '/..', '/', '/\\x', `/${'x'.repeat(1_000)}`]) {
      assert.equal(identifiers.identify(request({ headers: { 'l5d-name': value } })), undefined, value);
    }
    assert.equal(identifiers.identify(request({ headers: { 'l5d-name': '' } })), OWN_NAME);
  });

  it('is taken off the path where that is asked for', () => {
    for (const [segments, sent, after] of [
      [1, '/a/b/c?d=/e', '/b/c?d=/e'],
      [2, '/a/b', '/'],
      [1, '/a?x=/b', '/?x=/b'],
      [1, '/a/', '/'],
      [1, '/a//b', '//b'],
      [2, '/a', undefined],
    ] as const) {
      const identifiers = new Identifiers([path(segments, true), { kind: 'service' }]);
      assert.ok(identifiers.consumes);
      assert.equal(identifiers.pathAfter(request({ path: sent })), after, sent);
    }
    const first = new Identifiers([header, path(1, true)]);
    assert.equal(first.pathAfter(request({ path: '/a/b', headers: { 'x-svc': 'web' } })), undefined);
    assert.ok(!new Identifiers([path(1)]).consumes);
  });

  it('has one element for each value, and stays below its prefix, whatever is sent', () => {
    const value = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
    });
    const hostile = fc.constantFrom(
      '../x',
      '/x',
      'a;b',
      'a => /x',
      '%2e%2e',
      '\\x2f',
      '[::1]/x',
      '*',
      '|',
      '#x',
    );
    const identifiers = new Identifiers([header]);
    fc.assert(
      fc.property(fc.oneof(value, hostile), sent => {
        const name = identifiers.identify(request({ headers: { 'x-svc': sent } }));
        if (name === undefined) return assert.ok(['', '.', '..'].includes(sent));
        assert.deepEqual(parsePath(name).elems, ['svc', sent]);
      }),
    );
  });
});
