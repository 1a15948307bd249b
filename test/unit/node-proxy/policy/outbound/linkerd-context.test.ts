import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  contextFields,
  requestedDtab,
  sentDeadlineMs,
} from '../../../../../node-proxy/policy/outbound/linkerd-context.ts';
import { asLines } from '../../../../../node-proxy/policy/own-fields.ts';
import type { CarriedRequest } from '../../../../../node-proxy/policy/view.ts';

function view(headers: Record<string, string>): CarriedRequest {
  return {
    method: 'GET',
    path: '/',
    authority: 'web',
    size: 0,
    reserved: Object.keys(headers).length > 0,
    header: name => headers[name],
  };
}

const NOW = 1_700_000_000_000;
const nanos = (ms: number) => `${ms}000000`;

describe('Linkerd’s context', () => {
  it('is nothing for a request that says nothing', () => {
    assert.deepEqual(contextFields(view({}), '', NOW, 0), []);
  });

  it('passes on what decides nothing, and nothing else', () => {
    const sent = {
      'l5d-ctx-trace': 't',
      'l5d-reqid': 'r',
      'l5d-sample': '0.1',
      'l5d-dst-service': 'x',
      'l5d-x': 'y',
    };
    assert.deepEqual(contextFields(view(sent), '', NOW, 0), [
      ['l5d-ctx-trace', 't'],
      ['l5d-reqid', 'r'],
      ['l5d-sample', '0.1'],
    ]);
  });

  it('says the override that holds, not the one that was sent', () => {
    const sent = view({ 'l5d-dtab': '/a => /b', 'l5d-ctx-dtab': '/c => /d' });
    assert.equal(requestedDtab(sent), '/c => /d;/a => /b');
    assert.deepEqual(contextFields(sent, '', NOW, 0), []);
    assert.deepEqual(contextFields(sent, '/a=>/b', NOW, 0), [['l5d-ctx-dtab', '/a=>/b']]);
    assert.equal(requestedDtab(view({ 'l5d-ctx-dtab': '/c => /d' })), '/c => /d');
    assert.equal(requestedDtab(view({})), undefined);
  });

  it('says the earlier deadline', () => {
    const sent = `${nanos(NOW - 5)} ${nanos(NOW + 100)}`;
    const fields = (ours: number) => contextFields(view({ 'l5d-ctx-deadline': sent }), '', NOW, ours);
    assert.deepEqual(fields(0), [['l5d-ctx-deadline', sent]]);
    assert.deepEqual(fields(NOW + 200), [['l5d-ctx-deadline', sent]]);
    assert.deepEqual(fields(NOW + 50), [['l5d-ctx-deadline', `${nanos(NOW)} ${nanos(NOW + 50)}`]]);
    assert.deepEqual(contextFields(view({}), '', NOW, NOW + 50), [
      ['l5d-ctx-deadline', `${nanos(NOW)} ${nanos(NOW + 50)}`],
    ]);
  });

  it('reads a deadline of digits only', () => {
    const read = (text: string) => sentDeadlineMs(view({ 'l5d-ctx-deadline': text }));
    assert.equal(read(`${nanos(NOW)} ${nanos(NOW + 1)}`), NOW + 1);
    for (const bad of ['', 'x', '1', '1  2', '1 2 3', '-1 2', '1 0x2', `1 ${'9'.repeat(20)}`])
      assert.equal(read(bad), undefined, bad);
    assert.deepEqual(contextFields(view({ 'l5d-ctx-deadline': 'x' }), '', NOW, 0), []);
  });

  it('is written as lines', () => {
    assert.equal(
      asLines([
        ['a', '1'],
        ['b', '2'],
      ]),
      'a: 1\r\nb: 2\r\n',
    );
    assert.equal(asLines([]), '');
  });
});
