import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SourcePorts } from '../../../../node-proxy/tunnel/inbound/source-ports.ts';
import { seededRandom } from '../../../lib/seeded-random.ts';

describe('source ports in a caller’s name', () => {
  it('are never those of the caller’s own open connections, nor chosen twice', () => {
    const ports = new SourcePorts(seededRandom(5));
    const used = new Set<number>();
    for (let i = 0; i < 5_000; i++) {
      const own = 32_768 + i;
      const { port } = ports.claim('10.0.0.1', own);
      used.add(own);
      if (port === undefined) continue;
      assert.equal(used.has(port), false);
      used.add(port);
    }
  });

  it('are forgotten with the connection', () => {
    const ports = new SourcePorts(seededRandom(5));
    const claims = [
      ports.claim('10.0.0.1', 40_000),
      ports.claim('10.0.0.1', 40_001),
      ports.claim('10.0.0.2', 1),
    ];
    assert.equal(ports.callers, 2);
    for (const { release } of claims) release();
    assert.equal(ports.callers, 0);
  });

  it('are left to the kernel when a caller uses nearly all of them', () => {
    const ports = new SourcePorts(() => 0);
    ports.claim('10.0.0.1', 32_768);
    assert.equal(ports.claim('10.0.0.1', 5).port, undefined);
  });
});
