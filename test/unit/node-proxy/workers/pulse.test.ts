/** Who hangs and who does not, by looks at a thread's pulse. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beat, newPulse, watchPulse } from '../../../../node-proxy/workers/pulse.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';

test('a thread that beats is left alone, one that stops is found once', () => {
  const clock = new FakeClock();
  const pulse = newPulse();
  let hung = 0;
  const heart = beat(pulse, clock);
  watchPulse(pulse, clock, 10_000, () => hung++);
  clock.advance(60_000);
  assert.equal(hung, 0);
  heart.cancel();
  clock.advance(9_000);
  assert.equal(hung, 0, 'too early');
  clock.advance(2_000);
  assert.equal(hung, 1);
  clock.advance(60_000);
  assert.equal(hung, 1);
  assert.equal(clock.timers, 0);
});

test('a pause is no death if a beat comes before its end', () => {
  const clock = new FakeClock();
  const pulse = newPulse();
  let hung = 0;
  const watch = watchPulse(pulse, clock, 10_000, () => hung++);
  for (let pause = 0; pause < 5; pause++) {
    clock.advance(9_500);
    Atomics.add(pulse, 0, 1);
  }
  assert.equal(hung, 0);
  watch.cancel();
  clock.advance(60_000);
  assert.equal(hung, 0);
});
