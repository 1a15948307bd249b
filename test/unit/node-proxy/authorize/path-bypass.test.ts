import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PolicyAction } from '#api';
import { Authorizer, type Caller, normalPath } from '../../../../node-proxy/authorize/index.ts';
import { PATH_READINGS } from './path-readings.ts';

const rules = (action: PolicyAction, paths: string[], notPaths?: string[]) =>
  new Authorizer(
    [
      {
        id: 'a/b',
        action,
        rules: [{ from: [], to: [{ paths, ...(notPaths === undefined ? {} : { notPaths }) }] }],
      },
    ],
    { mode: 'permissive', ports: {} },
  );

/** Does the request get through to the application? */
function passes(authorizer: Authorizer, target: string): boolean {
  const path = normalPath(target);
  if (path === undefined) return false;
  const caller: Caller = { identity: '', namespace: '', ip: new Uint8Array(4), port: 80 };
  caller.request = { method: 'GET', path, host: 'app', header: () => undefined };
  return authorizer.decide(caller).allowed;
}

const isBelow = (path: string, top: string) => path === top || path.startsWith(`${top}/`);

/** One line each: how somebody got, or gets, past a rule on `/admin` somewhere. */
const BYPASSES = [
  ['/admin', 'as it is'],
  ['/admin/', 'Express and Spring: the last slash is ignored'],
  ['/ADMIN', 'Express, IIS: case is ignored'],
  ['/admin?x=/public', 'the query is no part of the path'],
  ['/%61dmin', 'an unreserved character escaped'],
  ['/%61%64%6D%69%6e', 'all of them'],
  ['/%2561dmin', 'decoded twice'],
  ['/%25%36%31dmin', 'decoded twice, the digits escaped'],
  ['//admin', 'nginx merges slashes'],
  ['///admin', 'more of them'],
  ['//public/admin', 'the URL class of Node.js takes `public` for the host'],
  ['/\\public/admin', 'and this as well'],
  ['/./admin', 'RFC 3986 dot segments'],
  ['/public/../admin', 'the same upwards'],
  ['/public//../admin', 'merged before or after the dots?'],
  ['/public/%2e%2e/admin', 'escaped dots'],
  ['/public/.%2E/admin', 'half escaped'],
  ['/public/..;/admin', 'Tomcat: parameters go before dots are resolved'],
  ['/public/..;a=b/admin', 'with a name'],
  ['/public/..%3B/admin', 'escaped'],
  ['/public/;/../../admin', 'an empty segment after its parameters have gone'],
  ['/;/admin', 'Tomcat: leaves `//admin`'],
  ['/;a=b/admin', 'with a name'],
  ['/admin;a=b', 'Tomcat and Spring: parameters of the last segment'],
  ['/admin/..', 'Express serves by prefix, nginx sees `/`'],
  ['/admin/../public', 'the same'],
  ['/admin/%2e%2e/public', 'escaped'],
  ['/..%2fadmin', 'escaped slash'],
  ['/public%2f..%2fadmin', 'nginx decodes it before it resolves'],
  ['/%5cadmin', 'escaped backslash'],
  ['/public\\..\\admin', 'IIS takes backslashes for slashes'],
  ['/%c0%afadmin', 'overlong slash'],
  ['/%c1%a1dmin', 'overlong letter'],
  ['/%e0%80%afadmin', 'longer'],
  ['/%EF%BC%8Fadmin', 'full-width slash, where Unicode is normalised'],
  ['/x/%E2%80%A5/admin', 'two-dot leader'],
  ['/%EF%BD%81dmin', 'full-width letter'],
  ['/admin%00.css', 'C strings end at zero'],
  ['/admin%0d%0ax', 'what ends a line'],
  ['/admin%09', 'white space that is trimmed'],
  ['/admin#x', 'a fragment that one side cuts off'],
  ['/public#/../admin', 'and the other resolves'],
  ['/admin%3Fx', 'rewriting rules end the path at a decoded ?'],
  ['/adm%', 'an escape cut off'],
  ['/adm%u0069n', 'the escape that only IIS has'],
  ['admin', 'no slash at all'],
  ['http://x/admin', 'absolute form that nobody took apart'],
  ['/\u00e1dmin', 'bytes that are no ASCII'],
] as const;

describe('a DENY rule for /admin*', () => {
  const deny = rules('DENY', ['/admin*']);
  for (const [target, why] of BYPASSES) {
    it(`is not passed by ${JSON.stringify(target)}: ${why}`, () => assert.equal(passes(deny, target), false));
  }

  for (const target of [
    '/',
    '/public',
    '/x/admin',
    '/adm',
    '/a//b/',
    '/a;v=1/b',
    '/100%25',
    '/%C3%BC?a',
    '*',
  ]) {
    it(`lets ${target} through`, () => assert.equal(passes(deny, target), true));
  }
});

describe('other rules', () => {
  it('refuse an exact path with and without the last slash', () => {
    for (const pattern of ['/admin', '/admin/', '/Admin', '/%61dmin']) {
      for (const target of ['/admin', '/admin/', '/admin//', '/;x/admin', '/admin;x/']) {
        assert.equal(passes(rules('DENY', [pattern]), target), false, `${pattern} ${target}`);
      }
      assert.equal(passes(rules('DENY', [pattern]), '/admins'), true);
    }
    assert.equal(passes(rules('DENY', ['/admin/*']), '/admin'), false);
    assert.equal(passes(rules('DENY', ['/']), '/'), false);
    assert.equal(passes(rules('DENY', ['/']), '/x'), true);
  });

  it('refuse punctuation however it is escaped', () => {
    for (const pattern of ['/v1/items:delete', '/v1/items%3Adelete'])
      for (const target of ['/v1/items:delete', '/v1/items%3Adelete', '/v1/items%3adelete'])
        assert.equal(passes(rules('DENY', [pattern]), target), false);
  });

  it('read letters in rules as people write them', () => {
    for (const action of ['ALLOW', 'DENY'] as const)
      for (const pattern of ['/über uns', '/%C3%BCber%20uns', '/%c3%bcber uns', '/übe*'])
        assert.equal(passes(rules(action, [pattern]), '/%c3%bcber%20uns'), action === 'ALLOW', pattern);
  });

  it('allow only what is written', () => {
    const allow = rules('ALLOW', ['/public/*', '/page']);
    for (const target of ['/public/', '/public/x', '/public//x', '/public/x;v=1', '/page', '/p%61ge?x'])
      assert.equal(passes(allow, target), true, target);
    for (const target of [
      '/Public/x',
      '/public',
      '/page/',
      '/page;x',
      '//page',
      '/public;/x',
      '/PAGE',
      '/public/..;/x',
    ])
      assert.equal(passes(allow, target), false, target);
    assert.equal(passes(rules('ALLOW', ['*.css']), '/a.css'), true);
    for (const target of ['/admin;.css', '/admin;x/;.css', '/admin%3F.css', '/admin%23.css', '/admin%3b.css'])
      assert.equal(passes(rules('ALLOW', ['*.css']), target), false, target);
  });

  it('turn round for notPaths', () => {
    const allowBut = rules('ALLOW', ['*'], ['/admin*']);
    const denyBut = rules('DENY', ['*'], ['/public*']);
    for (const [target] of BYPASSES) {
      assert.equal(passes(allowBut, target), false, target);
      assert.equal(passes(denyBut, target), false, target);
    }
    assert.equal(passes(allowBut, '/public/x'), true);
    assert.equal(passes(denyBut, '/public/x'), true);
    assert.equal(passes(denyBut, '/PUBLIC/x'), false);
  });
});

/** Pieces that attacks are made of. */
const piece = fc.constantFrom(
  ...[
    'admin',
    'admin',
    'ADMIN',
    '%61dmin',
    'adm%69n',
    'public',
    'public',
    'Public',
    'x',
    '.css',
    '%2561',
    '%EF%BD%81',
  ],
  ...['/', '/', '/', '//', '.', '..', '..', '/../', '/./', '%2e', '%2E%2e', '...', '%252e', '%EF%BC%8E'],
  ...['%2f', '%5c', '\\', '%c0%af', '%ef%bc%8f', ';', ';a=b', '%3b', '..;', '?', '%3F', '#', '%23'],
  ...['%00', '%25', '%', '%zz', '%E2%84%AA', '%c3%bc', '*', ':', '%3A', '+', '@', '%20', '|', '"'],
);
const target = fc.array(piece, { minLength: 1, maxLength: 9 }).map(pieces => `/${pieces.join('')}`);

describe('whatever a server makes of a path', () => {
  for (const [server, reading] of Object.entries(PATH_READINGS)) {
    it(server, () => {
      const deny = rules('DENY', ['/admin*']);
      const allow = rules('ALLOW', ['/public/*']);
      const allowFiles = rules('ALLOW', ['*.css']);
      const allowBut = rules('ALLOW', ['*'], ['/admin*']);
      let served = 0;
      fc.assert(
        fc.property(target, target => {
          const path = reading(target);
          if (path === undefined) return;
          if (isBelow(path, '/admin')) {
            served += 1;
            assert.equal(passes(deny, target), false, 'DENY passed');
            assert.equal(passes(allowBut, target), false, 'ALLOW with notPaths passed');
          }
          if (!isBelow(path.toLowerCase(), '/public'))
            assert.equal(passes(allow, target), false, 'ALLOW passed');
          if (!/\.css\/?$/.test(path)) assert.equal(passes(allowFiles, target), false, 'ALLOW *.css passed');
        }),
        { numRuns: 4_000 },
      );
      assert.ok(served > 20, `only ${served} attacks arrived`);
    });
  }

  it('is asked about once only: a normal path is its own normal path', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          target,
          fc.string().map(text => `/${text}`),
        ),
        target => {
          const path = normalPath(target);
          if (path !== undefined) assert.equal(normalPath(path), path);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('is refused, never thrown at', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => void normalPath(text)));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (pattern, text) => {
        passes(rules('DENY', [pattern]), text);
        passes(rules('ALLOW', [pattern]), `/${text}`);
      }),
    );
  });
});
