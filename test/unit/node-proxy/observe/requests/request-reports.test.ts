import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { RequestDelta } from '../../../../../node-proxy/observe/requests/request-counters.ts';
import { DEFAULT_REQUEST_LOG } from '../../../../../node-proxy/observe/requests/request-log.ts';
import { RequestReports } from '../../../../../node-proxy/observe/requests/request-reports.ts';
import type { RequestEntry } from '../../../../../node-proxy/policy/flow.ts';
import { requestLabels } from './request-labels.ts';

class Rig {
  readonly sent: { deltas: RequestDelta[]; dropped: number }[] = [];
  readonly reports: RequestReports;

  constructor(file: string) {
    this.reports = new RequestReports({
      node: 'n',
      log: { ...DEFAULT_REQUEST_LOG, file, fields: ['method'] },
      now: () => 0,
      random: () => 0,
      send: (deltas, dropped) => this.sent.push({ deltas, dropped }),
    });
  }
}

const entry = {
  labels: requestLabels,
  method: 'GET',
  status: 200,
  grpcStatus: -1,
  reason: '',
} as RequestEntry;

describe('reports of requests', () => {
  it('are sent when there is something to say, also at the end', () => {
    const { reports, sent } = new Rig('off');
    reports.flush();
    assert.equal(sent.length, 0);
    assert.equal(reports.log, undefined);
    const edge = reports.counters.edge(requestLabels);
    edge.finished(200, -1, 1);
    reports.flush();
    edge.finished(200, -1, 1);
    reports.close();
    assert.deepEqual(
      sent.map(({ deltas, dropped }) => [deltas.length, dropped]),
      [
        [1, 0],
        [1, 0],
      ],
    );
  });

  it('write the log to the end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'request-reports-'));
    try {
      const { reports } = new Rig(join(folder, 'requests.log'));
      for (let i = 0; i < 100; i++) reports.log?.write(entry);
      reports.close();
      assert.equal(readFileSync(join(folder, 'requests.log'), 'utf8').split('"method":"GET"').length, 101);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tell of lines that could not be written, and of them only once', () => {
    const { reports, sent } = new Rig('/dev/null/no/such/folder');
    reports.log?.write(entry);
    reports.log?.write(entry);
    reports.flush();
    reports.flush();
    assert.deepEqual(sent, [{ deltas: [], dropped: 2 }]);
    reports.close();
  });
});
