import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CniError } from '../../../cni-plugin/cni-error.ts';
import { readEnvironment } from '../../../cni-plugin/environment.ts';
import {
  isAtLeast,
  readNetworkConfig,
  SUPPORTED_VERSIONS,
  versionOf,
} from '../../../cni-plugin/network-config.ts';

const minimal = { cniVersion: '1.1.0', name: 'pods', type: 'nodemesh' };

function errorOf(act: () => unknown): CniError {
  try {
    act();
  } catch (error) {
    assert(error instanceof CniError);
    return error;
  }
  throw new assert.AssertionError({ message: 'no error' });
}

const configError = (config: unknown) =>
  errorOf(() => readNetworkConfig(typeof config === 'string' ? config : JSON.stringify(config)));

test('defaults', () => {
  const config = readNetworkConfig(JSON.stringify(minimal));
  assert.equal(config.socket, '/run/nodemesh/node.sock');
  assert.deepEqual([...config.excludedNamespaces], ['kube-system', 'nodemesh-system']);
  assert.equal(config.timeoutMs, 10_000);
  assert.equal(config.prevResult, undefined);
});

test('what runtimes add is no mistake', () => {
  const config = readNetworkConfig(
    JSON.stringify({
      ...minimal,
      prevResult: { ips: [{ address: '10.0.0.2/24' }, { address: 'FD00::2/64' }, { address: 'odd' }, 7] },
      runtimeConfig: { portMappings: [] },
      capabilities: { labels: true },
      args: { cni: { labels: [{ key: 'app', value: 'web' }] } },
      'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }],
      'cni.dev/anything': 1,
    }),
  );
  assert.deepEqual(config.ips, ['10.0.0.2', 'fd00::2']);
  assert.deepEqual(config.labels, { app: 'web' });
  assert.deepEqual(config.validAttachments, [{ containerId: 'a', ifName: 'eth0' }]);
});

test('errors carry the codes of the specification', () => {
  assert.equal(configError({ ...minimal, cniVersion: '2.0.0' }).code, 1);
  assert.equal(configError({ ...minimal, cniVersion: '0.2.0' }).code, 1);
  assert.match(configError({ name: 'x' }).message, /cniVersion is missing/);
  const unknown = configError({ ...minimal, excludeNamespaces: ['a'], b: null });
  assert.equal(unknown.code, 2);
  assert.match(unknown.message, /"excludeNamespaces": \["a"\], "b": null/);
  assert.match(unknown.details, /excludedNamespaces/);
  assert.equal(configError('{').code, 6);
  assert.equal(configError('[]').code, 6);
  const bad = configError({
    ...minimal,
    socket: 'node.sock',
    excludedNamespaces: 'kube-system',
    timeoutSeconds: 0,
    prevResult: [],
    args: { cni: { labels: [{ key: 1 }] } },
    'cni.dev/valid-attachments': {},
  });
  assert.equal(bad.code, 7);
  for (const field of [
    'socket',
    'excludedNamespaces',
    'timeoutSeconds',
    'prevResult',
    'labels',
    'valid-attachments',
  ])
    assert(bad.message.includes(field), field);
});

test('any text is a configuration or a CniError', () => {
  const fields = [
    'cniVersion',
    'socket',
    'excludedNamespaces',
    'timeoutSeconds',
    'prevResult',
    'args',
    'cni.dev/valid-attachments',
  ];
  const almost = fc
    .record(Object.fromEntries(fields.map(key => [key, fc.jsonValue()])), { requiredKeys: [] })
    .map(value => JSON.stringify({ ...minimal, ...(value as object) }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), almost), text => {
      try {
        readNetworkConfig(text);
      } catch (error) {
        assert(error instanceof CniError);
      }
      assert.equal(typeof versionOf(text), 'string');
    }),
  );
});

test('versions are ordered', () => {
  SUPPORTED_VERSIONS.forEach((a, i) => {
    SUPPORTED_VERSIONS.forEach((b, j) => {
      assert.equal(isAtLeast(a, b), i >= j);
    });
  });
});

test('the environment of a Kubernetes runtime', () => {
  const CNI_ARGS = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=a=b;';
  const environment = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c',
    CNI_NETNS: '/n',
    CNI_IFNAME: 'eth0',
    CNI_ARGS,
  };
  assert.deepEqual(readEnvironment(environment), {
    command: 'ADD',
    containerId: 'c',
    netns: '/n',
    ifName: 'eth0',
    podName: 'web-0',
    podNamespace: 'shop',
  });
});

test('what is missing in the environment is named', () => {
  assert.match(errorOf(() => readEnvironment({})).message, /CNI_COMMAND is not set/);
  assert.match(errorOf(() => readEnvironment({ CNI_COMMAND: 'add' })).message, /CNI_COMMAND is 'add'/);
  const missing = errorOf(() => readEnvironment({ CNI_COMMAND: 'ADD', CNI_NETNS: '/n' }));
  assert.equal(missing.code, 4);
  assert.match(missing.message, /ADD needs CNI_CONTAINERID, CNI_IFNAME/);
  const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c', CNI_IFNAME: 'eth0' };
  assert.equal(readEnvironment(env).netns, '');
  assert.match(errorOf(() => readEnvironment({ ...env, CNI_ARGS: 'K8S_POD_NAME' })).message, /no KEY=VALUE/);
});
