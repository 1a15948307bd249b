import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DEFAULT_REQUEST_FIELDS,
  fieldWriter,
  REQUEST_FIELDS,
} from '../../../../../node-proxy/observe/requests/request-fields.ts';
import {
  RequestLog,
  type RequestLogSettings,
} from '../../../../../node-proxy/observe/requests/request-log.ts';
import type { RequestEntry } from '../../../../../node-proxy/policy/flow.ts';
import { requestLabels } from './request-labels.ts';

const ENTRY: RequestEntry = {
  direction: 'outbound',
  labels: requestLabels,
  source: '10.1.0.2:41000',
  destination: '10.96.0.1:80',
  endpoint: '10.1.1.3:8080',
  method: 'GET',
  path: '/add?op1=1&token=secret',
  authority: 'addition.calc:80',
  status: 200,
  grpcStatus: -1,
  requestBytes: 0,
  responseBytes: 12,
  firstByteMs: 1.23456,
  durationMs: 2.00049,
  attempts: 2,
  name: '/svc/calc/addition/80',
  boundId: '/#/registry/calc/addition/80',
  userAgent: 'curl/8',
  requestId: '',
  trace: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true },
  rule: '',
  audits: [],
  reason: '',
};

const lineOf = (entry: Partial<RequestEntry>, fields = DEFAULT_REQUEST_FIELDS) =>
  JSON.parse(`{${fieldWriter(fields)({ ...ENTRY, ...entry }).slice(1)}}`);

describe('a line of the request log', () => {
  it('has every default field that says something', () => {
    assert.deepEqual(lineOf({}), {
      direction: 'outbound',
      source: '10.1.0.2:41000',
      sourceWorkload: 'calc/fanboy',
      sourceIdentity: 'spiffe://demo/ns/calc/sa/fanboy',
      destination: '10.96.0.1:80',
      destinationWorkload: 'calc/addition-1',
      destinationIdentity: 'spiffe://demo/ns/calc/sa/addition',
      destinationService: 'calc/addition',
      route: 'calc/split[0]',
      version: 'http1',
      security: 'mutual_tls',
      endpoint: '10.1.1.3:8080',
      method: 'GET',
      path: '/add',
      authority: 'addition.calc:80',
      status: 200,
      requestBytes: 0,
      responseBytes: 12,
      firstByteMs: 1.235,
      durationMs: 2,
      attempts: 2,
      name: '/svc/calc/addition/80',
      boundId: '/#/registry/calc/addition/80',
      userAgent: 'curl/8',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      sampled: true,
    });
  });

  it('tells what was refused, audited, and of gRPC', () => {
    const more = {
      reason: 'policy',
      rule: 'a/b[0]',
      audits: ['a/watch[0]'],
      grpcStatus: 7,
      trace: undefined,
    };
    const { reason, rule, audits, grpcStatus, traceId } = lineOf(more);
    assert.deepEqual(
      { reason, rule, audits, grpcStatus, traceId },
      { reason: 'policy', rule: 'a/b[0]', audits: ['a/watch[0]'], grpcStatus: 7, traceId: undefined },
    );
  });

  it('does not decide in place of a caller that left sampling to others', () => {
    const trace = {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      sampled: undefined,
    };
    const line = lineOf({ trace });
    assert.equal(line.spanId, trace.spanId);
    assert.ok(!('sampled' in line));
  });

  it('has the fields that are asked for, in that order', () => {
    assert.deepEqual(Object.keys(lineOf({}, ['status', 'path', 'query'])), ['status', 'path', 'query']);
    assert.equal(lineOf({}, ['query']).query, 'op1=1&token=secret');
    assert.deepEqual(lineOf({ path: '/x?' }, ['query', 'method']), { method: 'GET' });
  });

  it('has no secrets by default', () => {
    const text = JSON.stringify(lineOf({ authority: 'user:password@addition:80' }));
    assert.doesNotMatch(text, /secret|password/);
    assert.match(text, /"authority":"addition:80"/);
  });

  it('is one line of JSON, and bounded, whatever a client sends', () => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    const number = fc.double();
    fc.assert(
      fc.property(text, text, text, number, (path, userAgent, authority, durationMs) => {
        const line = fieldWriter(REQUEST_FIELDS)({ ...ENTRY, path, userAgent, authority, durationMs });
        assert.ok(!line.includes('\n'));
        assert.ok(line.length < 40_000);
        JSON.parse(`{${line.slice(1)}}`);
      }),
      { numRuns: 100 },
    );
    assert.equal(lineOf({ userAgent: 'x'.repeat(5_000) }).userAgent.length, 1_025);
  });
});

describe('the request log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'request-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function written(
    settings: Partial<RequestLogSettings>,
    entries: Partial<RequestEntry>[],
    random = () => 0.5,
  ) {
    const file = join(folder, 'deeper', 'requests.log');
    const log = new RequestLog(
      { file, sample: 1, errorsAlways: true, ...settings },
      'node-1',
      () => 0,
      random,
    );
    for (const entry of entries.map(each => ({ ...ENTRY, ...each }))) if (log.wants(entry)) log.write(entry);
    log.close();
    assert.equal(log.dropped, 0);
    const text = readFileSync(file, 'utf8');
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line));
  }

  it('says when, what and where first', () => {
    const [line] = written({ fields: ['method'] }, [{}]);
    assert.equal(
      JSON.stringify(line),
      '{"time":"1970-01-01T00:00:00.000Z","kind":"request","node":"node-1","method":"GET"}',
    );
  });

  it('writes a share of the requests, and those that went wrong', () => {
    const wrong = [{ status: 0 }, { status: 503 }, { grpcStatus: 14 }, { status: 403, reason: 'policy' }];
    const right = [{}, { status: 404 }, { grpcStatus: 0 }];
    assert.equal(written({ sample: 0 }, [...right, ...wrong]).length, wrong.length);
    rmSync(join(folder, 'deeper'), { recursive: true });
    assert.equal(written({ sample: 0, errorsAlways: false }, [...right, ...wrong]).length, 0);
    rmSync(join(folder, 'deeper'), { recursive: true });
    let i = 0;
    const even = () => (i++ % 10) / 10;
    assert.equal(written({ sample: 0.3 }, new Array(100).fill({}), even).length, 30);
  });

  it('has no characters that a terminal or a reader of lines takes for more than text', () => {
    const hostile = 'a\u0085{"kind":"forged"}\u009b2J\u007f\u2028';
    const [line] = written({}, [{ userAgent: hostile, path: `/${hostile}` }]);
    assert.equal(line.userAgent, hostile);
    const text = readFileSync(join(folder, 'deeper', 'requests.log'), 'utf8');
    assert.doesNotMatch(text, /[\u007f-\u009f\u2028\u2029]/);
  });
});
