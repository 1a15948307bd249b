import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS, DEFAULT_SERVICE_SETTINGS } from '#api';
import { assertRefused, goodSpec, readSpec } from '../../../lib/documents/read-spec.ts';

const TARGET = { targetRef: { kind: 'Service', name: 'division' } };
const read = (spec: object) => goodSpec('TrafficPolicy', { ...TARGET, ...spec });
const refused = (spec: object, message: RegExp) =>
  assertRefused('TrafficPolicy', { ...TARGET, ...spec }, message);
const warned = (spec: object, message: RegExp) => assert.match(read(spec).warnings.join('\n'), message);

test('what is left out has the defaults of the mesh API', () => {
  assert.deepEqual(read({}), {
    target: { service: 'division' },
    service: DEFAULT_SERVICE_SETTINGS,
    client: DEFAULT_CLIENT_SETTINGS,
    server: { forwardClientIdentity: false, concurrentRequests: 0 },
    warnings: [],
  });
  // Sections without fields are sections with defaults.
  const empty = {
    balancer: {},
    timeouts: {},
    retries: { budget: {} },
    circuitBreaker: {},
    limits: {},
    server: {},
  };
  assert.deepEqual(read(empty), read({}));
});

test('every field is read', () => {
  const value = read({
    targetRef: { group: '', kind: 'Service', name: 'division', port: 8080 },
    protocol: 'http',
    balancer: { kind: 'ringHash', hashOn: { header: 'X-User' } },
    timeouts: { total: '3s', perTry: '1s', idle: '1m' },
    retries: {
      classifier: 'retryableIdempotent5XX',
      grpcCodes: ['unavailable', 8, 'DEADLINE_EXCEEDED', 14],
      attempts: 4,
      backoff: { kind: 'jittered', min: '10ms', max: '1s' },
      bodyLimit: '1Mi',
      budget: { percentCanRetry: 0.5, minRetriesPerSecond: 3, ttl: '5s' },
    },
    circuitBreaker: { consecutiveFailures: 3, minEjection: '1s', maxEjection: '30s', maxEjectedPercent: 25 },
    limits: { connections: 1, pendingRequests: 2, concurrentRequests: 0 },
    identifiers: [{ kind: 'io.nodemesh.service' }],
    dtabOverride: { from: [{ identities: ['spiffe://td/ns/a/sa/b'], notIpBlocks: ['10.0.0.0/8'] }] },
    server: { forwardClientIdentity: true, concurrentRequests: 7 },
  });
  const hashOn = { kind: 'header', name: 'x-user' };
  assert.deepEqual(value, {
    target: { service: 'division', port: 8080 },
    protocol: 'http',
    service: {
      timeouts: { totalMs: 3_000, perTryMs: 1_000, idleMs: 60_000 },
      retries: {
        classifier: 'retryableIdempotent5XX',
        grpcCodes: [4, 8, 14],
        attempts: 4,
        backoff: { minMs: 10, maxMs: 1_000 },
        bodyBytes: 1_048_576,
        budget: { ratio: 0.5, minPerSecond: 3, ttlMs: 5_000 },
      },
      identifiers: [{ kind: 'service' }],
      stickyOn: hashOn,
      dtabFrom: [{ identities: ['spiffe://td/ns/a/sa/b'], notIpBlocks: ['10.0.0.0/8'] }],
    },
    client: {
      balancer: { kind: 'ringHash', decayMs: 10_000, hashOn },
      breaker: { failures: 3, minMs: 1_000, maxMs: 30_000, maxEjected: 0.25 },
      limits: { connections: 1, pending: 2, requests: 0 },
    },
    server: { forwardClientIdentity: true, concurrentRequests: 7 },
    warnings: [],
  });
});

test('a port is meant by number or by name', () => {
  const target = (port: unknown) => read({ targetRef: { name: 'division', port } }).target;
  assert.deepEqual(target('http'), { service: 'division', port: 'http' });
  assert.deepEqual(target(80), { service: 'division', port: 80 });
});

test('a ring hashes one thing', () => {
  const hashOn = (spec: object) => read({ balancer: { kind: 'ringHash', hashOn: spec } }).service.stickyOn;
  assert.deepEqual(hashOn({ cookie: 'Session' }), { kind: 'cookie', name: 'Session' });
  assert.deepEqual(hashOn({ query: 'user id' }), { kind: 'query', name: 'user id' });
  assert.deepEqual(hashOn({ sourceAddress: true }), { kind: 'sourceAddress' });
  const ring = (spec: object) => ({ balancer: { kind: 'ringHash', ...spec } });
  refused(ring({}), /ringHash needs the field 'hashOn'/);
  refused(ring({ hashOn: {} }), /one of these is expected: header, cookie or query/);
  refused(ring({ hashOn: { header: 'a', cookie: 'b' } }), /one of these is expected/);
  refused(ring({ hashOn: { sourceAddress: false } }), /the only value is true/);
  refused(ring({ hashOn: { header: 'a b' } }), /no name of a header/);
  refused({ balancer: { kind: 'roundRobin', hashOn: { header: 'a' } } }, /only ringHash uses hashOn/);
  refused({ balancer: { kind: 'leastRequest', decay: '1s' } }, /only peakEwma has a decay/);
  refused({ balancer: { kind: 'p2c' } }, /'p2c' is not one of peakEwma/);
});

test("Linkerd's names of classifiers are taken, whole or short", () => {
  const retries = (classifier: string) => read({ retries: { classifier } }).service.retries;
  assert.equal(retries('io.l5d.http.retryableRead5XX').classifier, 'retryableRead5XX');
  assert.equal(retries('io.l5d.h2.allSuccessful').classifier, 'allSuccessful');
  assert.equal(retries('retryableAll5XX').classifier, 'retryableAll5XX');
  // Whoever has responses tried again means gRPC's UNAVAILABLE too, unless he names codes.
  assert.deepEqual(retries('retryableRead5XX').grpcCodes, [14]);
  assert.deepEqual(retries('nonRetryable5XX').grpcCodes, []);
  const none = read({ retries: { classifier: 'retryableRead5XX', grpcCodes: [] } });
  assert.deepEqual(none.service.retries.grpcCodes, []);
  refused({ retries: { classifier: 'io.l5d.h2.grpc.default' } }, /give 'grpcCodes' instead/);
  refused({ retries: { classifier: 'all' } }, /'all' is not one of nonRetryable5XX/);
  refused({ retries: { grpcCodes: ['OK'] } }, /a gRPC status is expected/);
  refused({ retries: { grpcCodes: [17] } }, /a gRPC status is expected/);
  refused({ retries: { grpcCodes: [1.5] } }, /a gRPC status is expected/);
});

test('backoffs are constant or jittered', () => {
  const backoff = (spec: object) => read({ retries: { backoff: spec } }).service.retries.backoff;
  assert.deepEqual(backoff({ kind: 'constant', duration: '20ms' }), { minMs: 20, maxMs: 20 });
  assert.deepEqual(backoff({ kind: 'constant', duration: '0s' }), { minMs: 0, maxMs: 0 });
  assert.deepEqual(backoff({ kind: 'jittered', min: '1ms', max: '1ms' }), { minMs: 1, maxMs: 1 });
  const bad = (spec: object, message: RegExp) => refused({ retries: { backoff: spec } }, message);
  bad({ kind: 'jittered', min: '2s', max: '1s' }, /'min' is longer than 'max'/);
  bad({ kind: 'jittered', min: '0s', max: '1s' }, /too short: at least 1ms/);
  bad({ kind: 'jittered', min: '1s' }, /'max' is missing/);
  bad({ kind: 'constant', duration: '1s', max: '2s' }, /unknown field 'max'/);
  bad({ duration: '1s' }, /'kind' is missing/);
});

test('one end of the ejections that is given moves the other along', () => {
  const breaker = (spec: object) => read({ circuitBreaker: spec }).client.breaker;
  assert.deepEqual(breaker({ maxEjection: '2s' }), {
    failures: 5,
    minMs: 2_000,
    maxMs: 2_000,
    maxEjected: 0.5,
  });
  assert.deepEqual(breaker({ minEjection: '10m' }), {
    failures: 5,
    minMs: 600_000,
    maxMs: 600_000,
    maxEjected: 0.5,
  });
  refused({ circuitBreaker: { minEjection: '2s', maxEjection: '1s' } }, /longer than 'maxEjection'/);
  refused({ circuitBreaker: { maxEjectedPercent: 101 } }, /out of range: 0 to 100/);
  refused({ circuitBreaker: { consecutiveFailures: -1 } }, /out of range/);
});

test('values that cannot be meant are refused', () => {
  const cases: [object, RegExp][] = [
    [{ targetRef: { kind: 'Service' } }, /'name' is missing/],
    [{ targetRef: { kind: 'Gateway', name: 'a' } }, /only Services/],
    [{ targetRef: { group: 'apps', kind: 'Service', name: 'a' } }, /only Services/],
    [{ targetRef: { kind: 'Service', name: 'a', namespace: 'b' } }, /of its own namespace/],
    [{ targetRef: { kind: 'Service', name: 'a', port: '80' } }, /a number in quotes/],
    [{ targetRef: { kind: 'Service', name: 'a', port: 0 } }, /out of range/],
    [{ protocol: 'tcp' }, /'tcp' is not one of http, opaque/],
    [{ timeouts: { total: '1s', perTry: '2s' } }, /'perTry' is longer than 'total'/],
    [{ timeouts: { total: 5 } }, /a number needs its unit/],
    [{ timeouts: { total: '5sec' } }, /a duration such as/],
    [{ timeouts: null }, /'timeouts' has no value/],
    [{ retries: { attempts: 101 } }, /out of range/],
    [{ retries: { bodyLimit: '17Mi' } }, /more than 16777216 bytes/],
    [{ retries: { bodyLimit: '64kb' } }, /a size is expected/],
    [{ retries: { budget: { percentCanRetry: 20 } } }, /out of range: 0 to 10/],
    [{ retries: { budget: { ttl: '0s' } } }, /at least 1000ms/],
    [{ retries: { budget: { ttl: '2m' } } }, /longer than 60s/],
    [{ retries: { budget: { minRetriesPerSec: 1 } } }, /unknown field 'minRetriesPerSec'/],
    [{ limits: { connections: -1 } }, /out of range/],
    [{ dtabOverride: {} }, /'from' is missing/],
    [{ dtabOverride: { from: [] } }, /an empty list/],
    [{ dtabOverride: { from: [{}] } }, /matches everything/],
    [{ dtabOverride: { from: [{ identities: ['td/x'] }] } }, /no SPIFFE id/],
    [{ server: { forwardClientIdentity: 'yes' } }, /true or false/],
    [{ faults: {} }, /unknown field 'faults'/],
  ];
  for (const [spec, message] of cases) refused(spec, message);
  assertRefused('TrafficPolicy', {}, /'targetRef' is missing/);
});

test('values that are hardly meant are in force, with a warning', () => {
  warned({ timeouts: { perTry: '2s', idle: '1s' } }, /spec\.timeouts\.idle: 'idle' is shorter than 'perTry'/);
  warned({ retries: { attempts: 3 } }, /nonRetryable5XX lets no response be tried again/);
  warned({ retries: { budget: { percentCanRetry: 2 } } }, /2 retries for each request/);
  warned({ retries: { budget: { percentCanRetry: 0, minRetriesPerSecond: 0 } } }, /a budget of nothing/);
  warned({ circuitBreaker: { consecutiveFailures: 0, minEjection: '1s' } }, /never ejects/);
  warned({ circuitBreaker: { maxEjectedPercent: 0 } }, /never ejects: consecutiveFailures/);
  warned({ dtabOverride: { from: [{ ipBlocks: ['10.0.0.0/8'] }] } }, /an address alone can be borrowed/);
  warned({ protocol: 'opaque', timeouts: {}, server: {} }, /no effect of timeouts, server/);
});

test('all problems are told at once, with their places', () => {
  const { problems } = readSpec('TrafficPolicy', {
    ...TARGET,
    balancer: { kind: 'x' },
    timeouts: { total: 'soon', other: 1 },
    retries: { attempts: 'two' },
    y: 1,
  });
  assert.deepEqual(
    problems.map(each => each.replace(/^(f\.yaml:\d+:\d+: [^:]+):.*$/s, '$1')),
    [
      'f.yaml:11:11: spec.balancer.kind',
      'f.yaml:13:12: spec.timeouts.total',
      'f.yaml:14:12: spec.timeouts.other',
      'f.yaml:16:15: spec.retries.attempts',
      'f.yaml:17:6: spec.y',
    ],
  );
});
