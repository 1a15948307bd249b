import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prettyDtab, readDtabInput } from '../../../namerd/ctl/text/dtab-text.ts';
import { treeText } from '../../../namerd/ctl/text/tree-text.ts';

const dentry = { prefix: '/svc', dst: '9*/a & /b' };

test('every step, rule, share and outcome of a delegation is shown', () => {
  const text = treeText({
    type: 'alt',
    path: '/svc/x',
    alt: [
      {
        type: 'union',
        path: '/svc/x',
        dentry,
        union: [
          {
            weight: 9,
            tree: {
              type: 'leaf',
              path: '/a/x',
              dentry,
              bound: {
                id: '/#/r/x',
                path: '/rest',
                addr: { type: 'bound', addrs: [{ ip: '2001:db8::1', port: 80, meta: { nodeName: 'n1' } }] },
              },
            },
          },
          { weight: 1, tree: { type: 'neg', path: '/b/x', dentry } },
        ],
      },
      {
        type: 'delegate',
        path: '/svc/x',
        dentry: { prefix: '/svc', dst: '/c' },
        delegate: { type: 'exception', path: '/c/x', message: 'it broke' },
      },
      {
        type: 'leaf',
        path: '/d',
        bound: { id: '/#/d', path: '/', addr: { type: 'failed', cause: 'no DNS' } },
      },
    ],
  });
  assert.equal(
    text,
    [
      '/svc/x',
      '  1. /svc/x   (/svc => 9*/a & /b)',
      '    90 % /a/x',
      '      bound to /#/r/x, rest of the name /rest: 1 address',
      '        [2001:db8::1]:80  nodeName=n1',
      '    10 % /b/x   ~ no answer',
      '  2. /svc/x   (/svc => /c)',
      '    /c/x   failed: it broke',
      '  3. /d',
      '    bound to /#/d: failed: no DNS',
    ].join('\n'),
  );
});

test('many addresses are counted', () => {
  const addrs = Array.from({ length: 25 }, (_, i) => ({ ip: `10.0.0.${i}`, port: 80, meta: {} }));
  const text = treeText({ type: 'leaf', bound: { id: '/#/x', path: '/', addr: { type: 'bound', addrs } } });
  assert.match(text, /^ {2}bound to \/#\/x: 25 addresses\n/);
  assert.match(text, /… and 5 more$/);
});

test('what dtab get prints can be given back, in both forms', () => {
  const dentries = [
    { prefix: '/svc', dst: '/#/a' },
    { prefix: '/s', dst: '/b | /c' },
  ];
  const pretty = prettyDtab(dentries, 'v1');
  assert.equal(pretty, '# version v1\n/svc => /#/a ;\n/s   => /b | /c ;');
  assert.deepEqual(readDtabInput(pretty), { text: pretty, version: 'v1' });
  const json = readDtabInput(JSON.stringify({ version: 'v1', dtab: dentries }));
  assert.deepEqual(json, { text: '/svc => /#/a ;\n/s => /b | /c ;\n', version: 'v1' });
  assert.equal(readDtabInput(JSON.stringify(dentries)).version, undefined);
  for (const bad of ['{"dtab": 3}', '[3]', '[{"prefix": "/a"}]', '{', '/a'])
    assert.throws(() => readDtabInput(bad), { name: /UsageError|NameSyntaxError/ }, bad);
});
