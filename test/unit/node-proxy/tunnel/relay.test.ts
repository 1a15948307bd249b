import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Relay, type RelayEnd } from '../../../../node-proxy/tunnel/relay/relay.ts';
import type { Side, SideEvents } from '../../../../node-proxy/tunnel/relay/side.ts';

class FakeSide implements Side {
  events: SideEvents | undefined;
  written = '';
  full = false;
  ended = false;
  paused = false;
  wasReset = false;
  start(events: SideEvents): void {
    this.events = events;
  }
  write(chunk: Buffer): boolean {
    this.written += chunk;
    return !this.full;
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  reset(): void {
    this.wasReset = true;
  }
  says(text: string): void {
    this.events?.onData(Buffer.from(text));
  }
}

function setUp() {
  const client = new FakeSide();
  const upstream = new FakeSide();
  const seen = { sent: 0, received: 0, ends: [] as RelayEnd[] };
  const meter = {
    sent: (bytes: number) => void (seen.sent += bytes),
    received: (bytes: number) => void (seen.received += bytes),
    done: (end: RelayEnd) => void seen.ends.push(end),
  };
  const relay = new Relay(client, upstream, meter);
  relay.start();
  return { client, upstream, seen, relay };
}

describe('a relay', () => {
  it('moves bytes both ways and counts them', () => {
    const { client, upstream, seen } = setUp();
    client.says('hello');
    upstream.says('hi');
    assert.equal(upstream.written, 'hello');
    assert.equal(client.written, 'hi');
    assert.deepEqual([seen.sent, seen.received], [5, 2]);
  });

  it('stops reading from a side while the other is full', () => {
    const { client, upstream } = setUp();
    upstream.full = true;
    client.says('x');
    assert.equal(client.paused, true);
    assert.equal(upstream.paused, false);
    upstream.events?.onDrain();
    assert.equal(client.paused, false);
  });

  it('hands on a half-close and goes on the other way', () => {
    const { client, upstream, seen } = setUp();
    client.events?.onEnd();
    assert.equal(upstream.ended, true);
    upstream.says('late answer');
    assert.equal(client.written, 'late answer');
    assert.deepEqual(seen.ends, []);
  });

  it('is done when both sides have closed cleanly', () => {
    const { client, upstream, seen } = setUp();
    client.events?.onClosed(true);
    assert.deepEqual(seen.ends, []);
    upstream.events?.onClosed(true);
    assert.deepEqual(seen.ends, ['closed']);
    assert.equal(client.wasReset || upstream.wasReset, false);
  });

  it('resets the client when the upstream breaks, so that a cut is not taken for an end', () => {
    const { client, upstream, seen } = setUp();
    upstream.events?.onClosed(false);
    assert.equal(client.wasReset, true);
    client.events?.onClosed(false);
    assert.deepEqual(seen.ends, ['upstream_reset']);
  });

  it('is done once when broken off', () => {
    const { client, upstream, seen, relay } = setUp();
    relay.breakOff();
    relay.breakOff();
    client.events?.onClosed(false);
    assert.deepEqual([client.wasReset, upstream.wasReset], [true, true]);
    assert.deepEqual(seen.ends, ['broken_off']);
  });
});
