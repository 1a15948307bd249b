import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, goodSpec } from '../../../lib/documents/read-spec.ts';

const spec = (target: unknown) => ({ action: 'DENY', rules: [{ to: [target] }] });
const read = (target: object) => goodSpec('AuthorizationPolicy', spec(target)).policy?.rules[0]?.to[0];

test('requests are matched by method, path, host and headers', () => {
  assert.deepEqual(
    read({
      ports: [8080],
      methods: ['GET', 'M-SEARCH'],
      notMethods: ['POST'],
      paths: ['/a', '/b/*', '*.css', '*', '/c*', '/calc.Division/Divide', '/a/.*', '/.well-known/x'],
      notPaths: ['/a%20b'],
      hosts: ['A.example', '*.B', 'c.*', '*', '[2001:db8::1]', '10.0.0.1'],
      notHosts: ['x'],
      headers: [{ name: 'X-A' }, { name: 'b', values: ['1', 'x y*'], notValues: ['*z'] }],
    }),
    {
      ports: [8080],
      methods: ['GET', 'M-SEARCH'],
      notMethods: ['POST'],
      paths: ['/a', '/b/*', '*.css', '*', '/c*', '/calc.Division/Divide', '/a/.*', '/.well-known/x'],
      notPaths: ['/a%20b'],
      hosts: ['a.example', '*.b', 'c.*', '*', '[2001:db8::1]', '10.0.0.1'],
      notHosts: ['x'],
      headers: [{ name: 'x-a' }, { name: 'b', values: ['1', 'x y*'], notValues: ['*z'] }],
    },
  );
});

test('fields that are left out are not there', () => {
  assert.deepEqual(read({ methods: ['GET'] }), { methods: ['GET'] });
  assert.deepEqual(read({ headers: [{ name: 'a' }] }), { headers: [{ name: 'a' }] });
});

const FIELDS = ['methods', 'notMethods', 'paths', 'notPaths', 'hosts', 'notHosts', 'headers'];

test('what would match everything by accident, or nothing ever, is refused', () => {
  const nothing = /has no value: give it one, or leave the field out/;
  const cases: [object, RegExp][] = [
    ...FIELDS.map((field): [object, RegExp] => [{ [field]: null }, nothing]),
    ...FIELDS.map((field): [object, RegExp] => [{ [field]: [] }, /an empty list/]),
    [{ methods: ['get'] }, /did you mean 'GET'/],
    [{ methods: ['*'] }, /no method in capital letters/],
    [{ methods: ['GET POST'] }, /no method/],
    [{ methods: [''] }, /no method/],
    [{ paths: ['admin'] }, /it begins with '\/', or with '\*'/],
    [{ paths: [''] }, /an empty text/],
    [{ paths: ['/a*b'] }, /one '\*' is allowed/],
    [{ paths: ['*a*'] }, /one '\*' is allowed/],
    [{ paths: ['/a?b'] }, /without query/],
    [{ paths: ['/a//b'] }, /'\/\/' can't be/],
    [{ paths: ['/a/../b'] }, /'\.' and '\.\.'/],
    [{ notPaths: ['/a/..'] }, /'\.' and '\.\.'/],
    [{ paths: ['/a%2fb'] }, /%2f/],
    [{ paths: ['/a b'] }, /percent-encoded/],
    [{ paths: ['/ä'] }, /percent-encoded/],
    [{ paths: [`/${'a'.repeat(1_024)}`] }, /1025 characters/],
    [{ hosts: ['a:80'] }, /without port, write 'a'/],
    [{ hosts: ['[::1]:80'] }, /without port, write '\[::1\]'/],
    [{ hosts: ['http://a'] }, /no host/],
    [{ hosts: ['[x]'] }, /no host/],
    [{ hosts: ['*.a.*'] }, /one '\*' is allowed/],
    [{ headers: [{ values: ['x'] }] }, /'name' is missing/],
    [{ headers: [{ name: 'Host', values: ['x'] }] }, /compared by 'hosts'/],
    [{ headers: [{ name: ':path' }] }, /no name of a header/],
    [{ headers: [{ name: 'a', values: [] }] }, /an empty list/],
    [{ headers: [{ name: 'a', values: null }] }, nothing],
    [{ headers: [{ name: 'a', values: ['x\ny'] }] }, /without line breaks/],
    [{ headers: [{ name: 'a', value: 'x' }] }, /unknown field 'value'/],
    [{ path: ['/a'] }, /unknown field 'path'/],
  ];
  for (const [target, message] of cases) assertRefused('AuthorizationPolicy', spec(target), message);
});
