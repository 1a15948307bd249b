import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declaredProtocol, portProtocol } from '../../../namerd/routing/index.ts';

const port = (name: string, appProtocol = '') => ({ name, appProtocol, port: 80, target: 80 });

test('appProtocol decides, in any case, also as Kubernetes spells it', () => {
  for (const http of [
    'http',
    'HTTP',
    'http2',
    'h2c',
    'kubernetes.io/h2c',
    'kubernetes.io/ws',
    'grpc',
    'grpc-web',
    'http/1.1',
  ])
    assert.equal(declaredProtocol(port('tcp-x', http)), 'http', http);
  for (const opaque of [
    'https',
    'tls',
    'tcp',
    'mysql',
    'redis',
    'mongo',
    'postgresql',
    'kubernetes.io/wss',
    'TCP',
  ])
    assert.equal(declaredProtocol(port('http', opaque)), 'opaque', opaque);
  // Somebody's own protocol says nothing; the name may.
  assert.equal(declaredProtocol(port('http-x', 'example.com/own')), 'http');
  assert.equal(declaredProtocol(port('x', 'example.com/own')), undefined);
});

test('the name decides by its whole, its beginning or its end', () => {
  for (const http of [
    'http',
    'http-api',
    'dapr-http',
    'dapr-grpc',
    'grpc',
    'grpc-web',
    'grpc-web-x',
    'http2-x',
    'h2c',
    'a-b-http',
  ])
    assert.equal(declaredProtocol(port(http)), 'http', http);
  for (const opaque of ['https', 'https-admin', 'tls-http', 'mysql', 'my-redis', 'tcp-http', 'tcp'])
    assert.equal(declaredProtocol(port(opaque)), 'opaque', opaque);
  for (const unknown of ['', 'web', 'httpx', 'dapr-internal', 'http1', 'api-v1', 'metrics'])
    assert.equal(declaredProtocol(port(unknown)), undefined, unknown);
});

test('what a policy says goes before everything; nothing said is detected', () => {
  assert.equal(portProtocol(port('mysql', 'mysql'), 'http'), 'http');
  assert.equal(portProtocol(port('http', 'http'), 'opaque'), 'opaque');
  assert.equal(portProtocol(port('web'), undefined), 'detect');
  // Names like those of every object's properties are only names.
  assert.equal(portProtocol(port('constructor'), undefined), 'detect');
});
