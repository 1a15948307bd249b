/**
 * One DNS question asked again and again. A failure keeps the last good answer; that a name is gone is believed
 * only when it is said several times running, since servers under repair say so too.
 */

import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Dispose } from '#base/watch.ts';
import { Produced } from './produced.ts';

export type DnsState<T> =
  | { readonly state: 'pending' }
  | { readonly state: 'ok'; readonly value: T }
  /** The name does not exist. */
  | { readonly state: 'neg' }
  | { readonly state: 'failed'; readonly message: string };

export interface DnsPollOptions<T> {
  clock: Clock;
  /** @returns the answer and for how long it is good, in milliseconds */
  ask: () => Promise<{ value: T; ttlMs: number }>;
  /** Never asks more often than this, whatever the answer's time to live. */
  floorMs: number;
  same: (a: T, b: T) => boolean;
  /** After the first good answer it is not asked again. */
  once?: boolean;
}

/** An answer with a longer life is asked for again all the same. */
const MAX_TTL_MS = 300_000;
const TIMEOUT_MS = 10_000;
const GONE_AFTER = 3;

export function dnsPoll<T>(options: DnsPollOptions<T>): Produced<DnsState<T>> {
  const { same } = options;
  const produced: Produced<DnsState<T>> = new Produced<DnsState<T>>(
    { state: 'pending' },
    set => run(options, set, () => produced.current),
    (a, b) => {
      if (a.state === 'ok' && b.state === 'ok') return same(a.value, b.value);
      if (a.state === 'failed' && b.state === 'failed') return a.message === b.message;
      return a.state === b.state;
    },
  );
  return produced;
}

function run<T>(
  { clock, ask, floorMs, once = false }: DnsPollOptions<T>,
  set: (state: DnsState<T>) => void,
  current: () => DnsState<T>,
): Dispose {
  let timer: Timer | undefined;
  let stopped = false;
  let denials = 0;

  const round = () => {
    // Whatever comes first counts: the answer, the failure or the end of patience.
    let answered = false;
    const answer = (waitMs: number | undefined, act: () => void) => {
      if (answered || stopped) return;
      answered = true;
      timer?.cancel();
      act();
      timer = waitMs === undefined ? undefined : clock.after(waitMs, round);
    };
    timer = clock.after(TIMEOUT_MS, () => answer(floorMs, () => fail('no answer in time')));
    ask().then(
      ({ value, ttlMs }) => {
        const waitMs = Math.max(floorMs, Math.min(ttlMs, MAX_TTL_MS));
        answer(once ? undefined : waitMs, () => {
          denials = 0;
          set({ state: 'ok', value });
        });
      },
      (error: unknown) => answer(floorMs, () => (isDenial(error) ? deny() : fail(messageOf(error)))),
    );
  };
  const fail = (message: string) => {
    denials = 0;
    const { state } = current();
    if (state === 'pending' || state === 'failed') set({ state: 'failed', message });
  };
  const deny = () => {
    denials += 1;
    if (current().state !== 'ok' || denials >= GONE_AFTER) set({ state: 'neg' });
  };

  round();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}

function isDenial(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}
