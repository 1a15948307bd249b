import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashOf } from '../../../../../node-proxy/policy/route/index.ts';
import { request } from '../../../../lib/policy/routes.ts';

describe('what a request is hashed by', () => {
  it('is a header, the authority for host, a parameter, or the address', () => {
    const view = request({
      path: '/a?user=%37&user=8',
      authority: 'shop',
      headers: { 'x-user': 'u', empty: '' },
    });
    assert.equal(hashOf({ kind: 'header', name: 'x-user' }, view, '10.0.0.1'), 'u');
    assert.equal(hashOf({ kind: 'header', name: 'host' }, view, '10.0.0.1'), 'shop');
    assert.equal(hashOf({ kind: 'query', name: 'user' }, view, '10.0.0.1'), '7');
    assert.equal(hashOf({ kind: 'sourceAddress' }, view, '10.0.0.1'), '10.0.0.1');
  });

  it('is nothing where the request has no such thing, or an empty one', () => {
    const view = request({ path: '/a?user=', headers: { empty: '', cookie: 'user=' } });
    for (const kind of ['header', 'cookie', 'query'] as const) {
      for (const name of ['user', 'empty', '']) assert.equal(hashOf({ kind, name }, view, ''), undefined);
    }
    assert.equal(hashOf({ kind: 'sourceAddress' }, view, ''), undefined);
  });

  for (const [cookies, value] of [
    ['id=1', '1'],
    ['a=b; id=1', '1'],
    ['a=b;id=1;id=2', '1'],
    ['a=b ;\tid=1 ; c=d', '1'],
    ['a=b, id=1, c=d', '1'],
    ['a=b; id=x,y=2', 'x,y=2'],
    ['id="q"; a=b', '"q"'],
    ['id=a=b', 'a=b'],
    ['xid=1; idx=2', undefined],
    ['ID=1', undefined],
    ['a=id=1', undefined],
    ['a=b,id=1', undefined],
    ['id', undefined],
    ['xid=2; id=1', '1'],
  ] as const) {
    it(`is ${value} for the cookie id of ${JSON.stringify(cookies)}`, () => {
      assert.equal(
        hashOf({ kind: 'cookie', name: 'id' }, request({ headers: { cookie: cookies } }), ''),
        value,
      );
    });
  }
});
