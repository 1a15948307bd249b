import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConnectionRefused } from '../../../../node-proxy/tunnel/failure.ts';
import type { Tunnel } from '../../../../node-proxy/tunnel/hbone/tunnel.ts';
import { TunnelPool } from '../../../../node-proxy/tunnel/hbone/tunnel-pool.ts';
import type { StreamSide } from '../../../../node-proxy/tunnel/relay/side.ts';

const LIMITS = { tunnelsPerPeer: 3, waiting: 1_000, connectTimeoutMs: 1_000 };

/** A tunnel with room for a number of streams. */
class FakeTunnel {
  reserved = 0;
  streams = 0;
  destroyed = false;
  readonly #room: number;
  constructor(room: number) {
    this.#room = room;
  }
  get hasRoom(): boolean {
    return this.streams + this.reserved < this.#room;
  }
  reserve(): void {
    this.reserved += 1;
  }
  async opened(): Promise<void> {}
  async open(): Promise<StreamSide> {
    this.reserved -= 1;
    this.streams += 1;
    return {} as StreamSide;
  }
  close(): void {}
  destroy(): void {
    this.destroyed = true;
  }
}

describe('the tunnels of a pod', () => {
  it('are tried again after one could not even be started (a failure once stayed for ever)', async () => {
    const pool = new TunnelPool(LIMITS);
    const refuse = () => {
      throw new ConnectionRefused('no_certificate', 'not yet');
    };
    await assert.rejects(pool.open('peer', [], refuse), { reason: 'no_certificate' });
    await pool.open('peer', [], () => new FakeTunnel(1) as unknown as Tunnel);
  });

  it('take a crowd that waited together in as many tunnels as it needs', async () => {
    const made: FakeTunnel[] = [];
    const pool = new TunnelPool(LIMITS);
    const make = () => {
      made.push(new FakeTunnel(10));
      return made.at(-1) as unknown as Tunnel;
    };
    await Promise.all(Array.from({ length: 30 }, () => pool.open('peer', [], make)));
    assert.deepEqual(
      made.map(({ streams }) => streams),
      [10, 10, 10],
    );
    await assert.rejects(pool.open('peer', [], make), { reason: 'stream_limit' });
  });

  it('are none once the pod has left, also not those that are being made', async () => {
    const pool = new TunnelPool(LIMITS);
    const slow = new FakeTunnel(1);
    slow.opened = () => new Promise(() => {});
    void pool.open('peer', [], () => slow as unknown as Tunnel).catch(() => {});
    await Promise.resolve();
    pool.destroy();
    assert.equal(slow.destroyed, true);
    await assert.rejects(
      pool.open('other', [], () => new FakeTunnel(1) as unknown as Tunnel),
      { reason: 'unenrolled' },
    );
  });
});
