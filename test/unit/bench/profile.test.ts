import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProfile, renderProfile } from '../../../bench/l7/profile.ts';

const REPORT = [
  '# To display the perf.data header info, please use --header/--header-only options.',
  '#',
  '# Overhead\tShared Object\tSymbol',
  '    40.25%\t[kernel.kallsyms]   \t[k] tcp_sendmsg_locked  ',
  '    20.00%\tperf-77.map         \t[.] JS:*readFields file:///home/mesh/node-proxy/http1/field-lines.ts:18:27',
  '    10.50%\tnode                \t[.] Builtins_CreateTypedArray',
  '     5.00%\tnode                \t[.] uv__io_poll',
  '     4.00%\tperf-77.map         \t[.] JS:^get file:///home/mesh/node_modules/lru-cache/index.js:1:2',
  '     0.25%\tlibc.so.6           \t[.] __GI___libc_write',
  '',
].join('\n');

test('time is divided into kernel, JavaScript and native code', () => {
  const { parts } = readProfile(REPORT);
  assert.deepEqual(parts, { kernel: 40.25, JavaScript: 34.5, 'native code': 5.25 });
});

test('functions have short names, and the most expensive come first', () => {
  const { functions } = readProfile(REPORT);
  assert.deepEqual(
    functions.map(({ name }) => name),
    [
      'tcp_sendmsg_locked',
      'readFields node-proxy/http1/field-lines.ts:18:27',
      'Builtins_CreateTypedArray',
      'uv__io_poll',
      'get node_modules/lru-cache/index.js:1:2',
      '__GI___libc_write',
    ],
  );
});

test('what can be changed is shown before the kernel', () => {
  const text = renderProfile(readProfile(REPORT));
  assert.match(text, /^kernel 40 %, JavaScript 35 %, native code 5 %\n/);
  assert.ok(text.indexOf('__GI___libc_write') < text.indexOf('tcp_sendmsg_locked'));
});

test('an empty report is an empty profile', () => {
  assert.deepEqual(readProfile('# nothing\n').functions, []);
});
