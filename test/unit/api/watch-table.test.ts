import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientLine } from '#api';
import { WatchTable } from '../../../namerd/api/watch-table.ts';

function table() {
  const sent: ClientLine[] = [];
  const problems: string[] = [];
  const subject = new WatchTable({
    send: line => void sent.push(line),
    onProblem: message => void problems.push(message),
  });
  const watch = (kind: 'name' | 'address', key: string, known?: { version: string; state: unknown }) => {
    const heard: unknown[] = [];
    const end = subject.add(
      kind,
      key,
      { onState: (state, version) => heard.push([state, version]), onRefused: undefined },
      known,
    );
    return { heard, end };
  };
  return { subject, sent, problems, watch };
}

test('a key is asked for once, with a number of its own', () => {
  const { sent, watch } = table();
  watch('name', '/a');
  watch('name', '/a');
  watch('address', '/a');
  assert.deepEqual(sent, [
    { op: 'watch', id: 1, kind: 'name', key: '/a' },
    { op: 'watch', id: 2, kind: 'address', key: '/a' },
  ]);
});

test('a new connection asks with the versions that are known', () => {
  const { subject, watch } = table();
  watch('name', '/a');
  watch('name', '/b');
  watch('name', '/c', { version: 'disk', state: 1 });
  const { heard } = watch('name', '/d');
  subject.take({ id: 1, version: 'v1', state: { x: 1 } });
  subject.take({ id: 4, version: 'gone', deleted: true });
  assert.deepEqual(heard, [[undefined, 'gone']]);
  assert.deepEqual(
    [...subject.lines()].map(line => ('version' in line ? line.version : undefined)),
    ['v1', undefined, 'disk', 'gone'],
  );
});

test('an unchanged state is not announced again', () => {
  const { subject, watch } = table();
  const { heard } = watch('name', '/a');
  subject.take({ id: 1, version: 'v1', state: 1 });
  subject.take({ id: 1, version: 'v1' });
  assert.deepEqual(heard, [[1, 'v1']]);
});

test('a watch that ended hears nothing, not even what was under way; a new one of the key begins anew', () => {
  const { subject, sent, watch } = table();
  const first = watch('name', '/a');
  first.end();
  first.end();
  subject.take({ id: 1, version: 'v1', state: 1 });
  const second = watch('name', '/a');
  subject.take({ id: 1, version: 'v1', state: 1 });
  subject.take({ id: 2, version: 'v2', state: 2 });
  assert.deepEqual(first.heard, []);
  assert.deepEqual(second.heard, [[2, 'v2']]);
  assert.deepEqual(
    sent.map(({ op }) => op),
    ['watch', 'unwatch', 'watch'],
  );
});

test('a listener may end itself or another one while it is told', () => {
  const { subject } = table();
  const heard: string[] = [];
  let endOther = () => {};
  const endBoth = () => {
    heard.push('first');
    endFirst();
    endOther();
  };
  const endFirst = subject.add('name', '/a', { onState: () => endBoth(), onRefused: undefined }, undefined);
  endOther = subject.add(
    'name',
    '/a',
    { onState: () => heard.push('other'), onRefused: undefined },
    undefined,
  );
  subject.take({ id: 1, version: 'v', state: 1 });
  assert.deepEqual(heard, ['first']);
  assert.equal(subject.size, 0);
});

test('a refusal reaches who asked, or the log', () => {
  const { subject, problems, watch } = table();
  watch('name', '/a');
  subject.take({ id: 1, error: { code: 'NM_X', message: 'no' } });
  assert.deepEqual(problems, ["namerd refused to watch name '/a'"]);
});
