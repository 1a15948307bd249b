import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Classifier } from '#api';
import { classify, isFailure } from '../../../../../node-proxy/balance/index.ts';

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'PURGE'];
const RETRIED: Record<Classifier, readonly string[]> = {
  nonRetryable5XX: [],
  retryableRead5XX: ['GET', 'HEAD', 'OPTIONS', 'TRACE'],
  retryableIdempotent5XX: ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'],
  retryableAll5XX: ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH'],
  allSuccessful: [],
};
const CLASSIFIERS = Object.keys(RETRIED) as Classifier[];

describe('classes of HTTP responses', () => {
  for (const classifier of CLASSIFIERS) {
    it(`${classifier}: which methods it tries again`, () => {
      for (const status of [500, 503, 599]) {
        const again = METHODS.filter(method => classify(classifier, [], method, status, -1) === 'retryable');
        assert.deepEqual(again, RETRIED[classifier]);
      }
      // No response at all is a failure like 5xx, whatever the classifier calls a success.
      const again = METHODS.filter(method => classify(classifier, [], method, 0, -1) === 'retryable');
      assert.deepEqual(again, RETRIED[classifier]);
    });

    it(`${classifier}: below 500 everything is a success`, () => {
      for (const status of [100, 200, 302, 404, 429, 499]) {
        for (const method of METHODS) assert.equal(classify(classifier, [], method, status, -1), 'success');
      }
    });
  }

  it('allSuccessful knows no failure but silence', () => {
    assert.equal(classify('allSuccessful', [], 'GET', 500, -1), 'success');
    assert.equal(classify('allSuccessful', [], 'GET', 0, -1), 'failure');
  });

  it('a failure that says l5d-retryable may be tried again, a success may not', () => {
    assert.equal(classify('nonRetryable5XX', [], 'POST', 503, -1, true), 'retryable');
    assert.equal(classify('nonRetryable5XX', [], 'POST', 200, -1, true), 'success');
  });
});

describe('classes of gRPC responses', () => {
  const failures = (classifier: Classifier) =>
    Array.from({ length: 17 }, (_, code) => code).filter(code => isFailure(classifier, 200, code));

  it('fail with the codes whose HTTP twin is 5xx', () => {
    assert.deepEqual(failures('nonRetryable5XX'), [2, 4, 12, 13, 14, 15]);
    assert.deepEqual(failures('allSuccessful'), []);
  });

  it('are tried again for the codes that are named, whatever the classifier says', () => {
    assert.equal(classify('nonRetryable5XX', [14], 'POST', 200, 14), 'retryable');
    assert.equal(classify('nonRetryable5XX', [14], 'POST', 200, 13), 'failure');
    assert.equal(classify('nonRetryable5XX', [10], 'POST', 200, 10), 'retryable');
    assert.equal(classify('retryableAll5XX', [], 'POST', 200, 14), 'failure');
    assert.equal(classify('nonRetryable5XX', [0], 'POST', 200, 0), 'success');
    assert.equal(classify('nonRetryable5XX', [14], 'POST', 0, 14), 'retryable');
  });

  it('survive codes that do not exist', () => {
    for (const code of [17, 31, 32, 46, 1e9])
      assert.equal(classify('nonRetryable5XX', [], 'POST', 200, code), 'success');
  });
});
