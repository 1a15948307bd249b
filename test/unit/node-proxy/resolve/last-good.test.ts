import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { DEFAULT_SERVICE_SETTINGS, type NodeWorkload } from '#api';
import { LastGood, type Snapshot, servedHttp } from '../../../../node-proxy/resolve/last-good.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

const SNAPSHOT: Snapshot = {
  format: 2,
  node: 'node-1',
  savedAt: 1,
  nodeState: undefined,
  trust: { trustDomain: 'mesh.test', roots: ['PEM'] },
  addresses: [['10.0.0.1:80', { target: 'foreign' }]],
  names: [['/svc/shop/c/80', { state: 'bound', tree: { type: 'neg' } }]],
};

describe('the last good snapshot', () => {
  let dir: string;
  let file: string;
  let warnings: string[];
  const log = pino({ level: 'warn' }, { write: line => warnings.push(line) });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'nmt-'));
    file = join(dir, 'last-good.json');
    warnings = [];
    const store = new LastGood(dir, new FakeClock(), log, () => SNAPSHOT);
    store.changed();
    await store.close();
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('is read as it was written', () => {
    assert.deepEqual(LastGood.read(dir, 'node-1', log), JSON.parse(JSON.stringify(SNAPSHOT)));
    assert.deepEqual(warnings, []);
  });

  it('is read as an earlier version wrote it, before there were names', () => {
    const { addresses, names: _, ...rest } = SNAPSHOT;
    writeFileSync(file, rewritten({ ...rest, format: 1, bindings: addresses }));
    const expected = JSON.parse(JSON.stringify({ ...SNAPSHOT, names: [] }));
    assert.deepEqual(LastGood.read(dir, 'node-1', log), expected);
    assert.deepEqual(warnings, []);
  });

  it('is no reason to warn when there never was one', () => {
    rmSync(file);
    assert.equal(LastGood.read(dir, 'node-1', log), undefined);
    assert.deepEqual(warnings, []);
  });

  it('says whether HTTP was in use: by a service that was called, or by a workload of the node', () => {
    const bytes = { namespace: 'shop', service: 'c', port: '80', name: '/svc/shop/c/80', appProtocol: '' };
    const service = { ...bytes, target: 'service', bound: { state: 'failed', message: '' } } as const;
    const http = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS } as const;
    const judged = { http: { ports: {}, forwardClientIdentity: false, concurrentRequests: 0 } };
    const workloads = [{ workload: 'shop/c' }, { workload: 'shop/d', ...judged }] as NodeWorkload[];
    const nodeState = { node: 'node-1', workloads, policies: [] };
    assert.equal(servedHttp(SNAPSHOT), false);
    assert.equal(servedHttp({ ...SNAPSHOT, addresses: [['10.0.0.1:80', service]] }), false);
    assert.equal(servedHttp({ ...SNAPSHOT, addresses: [['10.0.0.1:80', { ...service, http }]] }), true);
    assert.equal(servedHttp({ ...SNAPSHOT, nodeState }), true);
    assert.equal(
      servedHttp({ ...SNAPSHOT, nodeState: { ...nodeState, workloads: workloads.slice(0, 1) } }),
      false,
    );
  });

  const damages: Record<string, (text: string) => string> = {
    'of another node': text => text,
    empty: () => '',
    'cut off': text => text.slice(0, -20),
    changed: text => text.replace('foreign', 'workloa'),
    null: () => 'null',
    'without its checksum': text => JSON.stringify({ snapshot: JSON.parse(text).snapshot }),
    'of other shapes': () => '{"format":2,"node":"node-1","addresses":[5]}',
    'of a later version': text => rewritten({ ...JSON.parse(text).snapshot, format: 3 }),
  };
  for (const [how, damage] of Object.entries(damages)) {
    it(`is not used, with a warning, when it is ${how}`, () => {
      writeFileSync(file, damage(readFileSync(file, 'utf8')));
      const node = how === 'of another node' ? 'node-2' : 'node-1';
      assert.equal(LastGood.read(dir, node, log), undefined);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /is not used/);
    });
  }
});

function rewritten(content: object): string {
  const snapshot = JSON.stringify(content);
  const sha256 = createHash('sha256').update(snapshot).digest('hex');
  return `{"sha256":"${sha256}","snapshot":${snapshot}}`;
}
