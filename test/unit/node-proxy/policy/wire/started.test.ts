import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Brake, SLOWER, TURN } from '../../../../../node-proxy/policy/wire/brake.ts';
import { StartedWire, Switch } from '../../../../../node-proxy/policy/wire/started.ts';
import type { Wire, WireEvents } from '../../../../../node-proxy/policy/wire/wire.ts';

/** A wire that is told what to say, and writes down what it is told. */
class ToldWire implements Wire {
  ephemeral = true;
  flushed = false;
  events: WireEvents | undefined;
  readonly calls: string[] = [];
  /** What comes as soon as it is started, before anybody can pause it. */
  early: string[] = [];

  start(events: WireEvents): void {
    this.events = events;
    for (const text of this.early) events.onData(Buffer.from(text));
  }
  write(chunk: Buffer): boolean {
    this.calls.push(`write ${chunk}`);
    return true;
  }
  writeText(text: string): boolean {
    this.calls.push(`text ${text}`);
    return true;
  }
  cork(): void {
    this.calls.push('cork');
  }
  uncork(): void {
    this.calls.push('uncork');
  }
  end(): void {
    this.calls.push('end');
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  reset(): void {
    this.calls.push('reset');
  }
}

function listener() {
  const heard: string[] = [];
  const chunks: Buffer[] = [];
  const events: WireEvents = {
    onData: chunk => {
      heard.push(chunk.toString());
      chunks.push(chunk);
    },
    onEnd: () => heard.push('end'),
    onDrain: () => heard.push('drain'),
    onClosed: clean => heard.push(clean ? 'closed' : 'broken'),
  };
  return { heard, chunks, events };
}

describe('a wire that was started already', () => {
  it('delivers first what was read, then what came while nobody listened, then the rest', () => {
    const wire = new ToldWire();
    wire.early = ['early '];
    const started = StartedWire.of(wire);
    wire.events?.onData(Buffer.from('on its way '));
    const { heard, events } = listener();
    started.start(events);
    wire.events?.onData(Buffer.from('rest'));
    assert.deepEqual(heard, ['early ', 'on its way ', 'rest']);
    assert.deepEqual(wire.calls, ['pause', 'resume']);
  });

  it('tells of an end and of a close that came before', () => {
    const wire = new ToldWire();
    const started = StartedWire.of(wire);
    wire.events?.onData(Buffer.from('last'));
    wire.events?.onEnd();
    wire.events?.onClosed(true);
    const { heard, events } = listener();
    started.start(events);
    assert.deepEqual(heard, ['last', 'end', 'closed']);
  });

  it('copies chunks for who keeps them, where they are overwritten', () => {
    for (const keeps of [true, false]) {
      const wire = new ToldWire();
      const listening = new Switch();
      const started = new StartedWire(wire, listening, [], keeps);
      const { chunks, events } = listener();
      wire.start(listening);
      started.start(events);
      const shared = Buffer.from('abc');
      wire.events?.onData(shared);
      shared.fill('x');
      assert.equal(chunks[0]?.toString(), keeps ? 'abc' : 'xxx');
      assert.equal(started.ephemeral, !keeps);
    }
  });

  it('stays paused when what was read makes its listener pause it', () => {
    const wire = new ToldWire();
    const listening = new Switch();
    const started = new StartedWire(wire, listening, [Buffer.from('much')], true);
    started.start({ ...listener().events, onData: () => started.pause() });
    assert.deepEqual(wire.calls, ['pause']);
    started.resume();
    assert.deepEqual(wire.calls, ['pause', 'resume']);
  });

  it('passes everything else on', () => {
    const wire = new ToldWire();
    const started = new StartedWire(wire, new Switch(), [], true);
    started.cork();
    started.write(Buffer.from('a'));
    started.writeText('b');
    started.uncork();
    started.end();
    started.reset();
    assert.deepEqual(wire.calls, ['cork', 'write a', 'text b', 'uncork', 'end', 'reset']);
    wire.flushed = true;
    assert.equal(started.flushed, true);
  });
});

describe('a brake', () => {
  it('is off when no reason is left, and tells the wire only of changes', () => {
    const wire = new ToldWire();
    const brake = new Brake(wire);
    brake.release(SLOWER);
    brake.hold(SLOWER);
    brake.hold(TURN);
    brake.hold(SLOWER);
    brake.release(SLOWER);
    assert.deepEqual([wire.calls, brake.on], [['pause'], true]);
    brake.release(TURN);
    assert.deepEqual([wire.calls, brake.on], [['pause', 'resume'], false]);
    brake.hold(TURN);
    brake.releaseAll();
    brake.releaseAll();
    assert.deepEqual(wire.calls, ['pause', 'resume', 'pause', 'resume']);
  });
});
