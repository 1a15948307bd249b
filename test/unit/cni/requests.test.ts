import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestError, readPodAdd, readPodCheck, readPodDelete, readPodGc } from '#cni';

const pod = {
  containerId: 'abc123',
  ifName: 'eth0',
  netns: '/run/netns/x',
  podName: 'web-0',
  podNamespace: 'shop',
  ips: ['10.0.0.2', 'fd00::2'],
};

function problemsOf(read: (value: unknown) => unknown, value: unknown): string {
  try {
    read(value);
  } catch (error) {
    assert(error instanceof RequestError);
    assert.equal(error.by, 'client');
    return error.message;
  }
  return '';
}

test('a good request is read as it is, unknown fields are dropped', () => {
  assert.deepEqual(readPodAdd({ ...pod, later: true }), pod);
  assert.deepEqual({ ...readPodAdd({ ...pod, labels: { app: 'web' } }).labels }, { app: 'web' });
  assert.deepEqual(readPodGc({ valid: [{ containerId: 'a', ifName: 'eth0', x: 1 }] }), {
    valid: [{ containerId: 'a', ifName: 'eth0' }],
  });
});

test('addresses get their canonical spelling', () => {
  assert.deepEqual(readPodAdd({ ...pod, ips: ['::ffff:10.0.0.2', 'FD00:0::2'] }).ips, [
    '10.0.0.2',
    'fd00::2',
  ]);
});

test('a runtime that knows no pods, and a delete without namespace, are fine', () => {
  assert.equal(readPodAdd({ ...pod, podName: '', podNamespace: '' }).podName, '');
  assert.equal(readPodDelete({ ...pod, netns: '' }).netns, '');
  assert.match(problemsOf(readPodAdd, { ...pod, netns: '' }), /netns is not an absolute path/);
});

test('all problems are named', () => {
  const message = problemsOf(readPodAdd, {
    containerId: '-x',
    ifName: 'a/b',
    podName: 'A',
    ips: ['10.0.0'],
    labels: { a: 1 },
  });
  for (const part of [
    'containerId is not',
    'ifName is not',
    'podName is not',
    'podNamespace is missing',
    'netns is missing',
    'ips is not',
    'labels is not',
  ])
    assert(message.includes(part), part);
  assert.match(problemsOf(readPodGc, { valid: [{}] }), /valid\[0\]/);
  assert.match(problemsOf(readPodGc, {}), /valid is not a list/);
  for (const value of [null, [], 'x', 1, undefined])
    assert.match(problemsOf(readPodAdd, value), /no JSON object/);
});

test('limits hold', () => {
  const many = <T>(count: number, value: T) => Array<T>(count).fill(value);
  assert.match(problemsOf(readPodAdd, { ...pod, ips: many(65, '10.0.0.1') }), /at most 64/);
  const labels = Object.fromEntries(many(1025, '').map((_, i) => [`${i}`, '']));
  assert.match(problemsOf(readPodAdd, { ...pod, labels }), /at most 1024/);
  assert.match(
    problemsOf(readPodGc, { valid: many(10_001, { containerId: 'a', ifName: 'b' }) }),
    /at most 10000/,
  );
  assert.match(problemsOf(readPodAdd, { ...pod, containerId: 'x'.repeat(257) }), /containerId/);
});

test('a label may be called __proto__', () => {
  const { labels } = readPodAdd(JSON.parse(JSON.stringify(pod).replace('{', '{"labels":{"__proto__":"x"},')));
  assert.deepEqual(Object.entries(labels ?? {}), [['__proto__', 'x']]);
});

test('any JSON is read or refused with a RequestError', () => {
  const almost = fc.record(
    Object.fromEntries(Object.keys({ ...pod, labels: {}, valid: [] }).map(key => [key, fc.jsonValue()])),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), almost), value => {
      for (const read of [readPodAdd, readPodCheck, readPodDelete, readPodGc]) problemsOf(read, value);
    }),
  );
});
