/**
 * A stream of states, one per line, to a client that may be slow: what could not be sent is replaced by what is
 * newer, so at most one line waits. Blank lines are heartbeats; they find clients that are gone.
 */

import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '#base/clock.ts';
import type { StreamReply } from './exchange.ts';

export const HEARTBEAT_MS = 10_000;
/** A client that takes nothing for so long is dropped. */
export const STALLED_MS = 60_000;

/** Runs until the client goes, the source ends, or the server stops. @returns how to end it, with a last line or without */
export function streamLines(response: ServerResponse, { lines }: StreamReply, clock: Clock): () => void {
  let waiting: string | undefined;
  let blocked = false;
  let lastSent = clock.monotonic();
  let ended = false;
  let stop: (() => void) | undefined;

  const send = (line: string) => {
    lastSent = clock.monotonic();
    blocked = !response.write(`${line}\n`);
  };
  const tell = (line: string) => {
    if (ended) return;
    if (blocked) waiting = line;
    else send(line);
  };
  const finish = (line?: string) => {
    if (ended) return;
    ended = true;
    beat.cancel();
    stop?.();
    const rest = [waiting, line].filter(each => each !== undefined);
    response.end(rest.map(each => `${each}\n`).join(''));
  };
  const onDrain = () => {
    blocked = false;
    const line = waiting;
    waiting = undefined;
    if (line !== undefined && !ended) send(line);
  };
  const beat: Timer = clock.every(HEARTBEAT_MS / 2, () => {
    const silentMs = clock.monotonic() - lastSent;
    if (blocked && silentMs >= STALLED_MS) response.destroy();
    else if (!blocked && silentMs >= HEARTBEAT_MS) send('');
  });

  response.on('drain', onDrain);
  response.on('close', () => finish());
  // So that a client whose stream has nothing to say yet knows that it is accepted.
  response.flushHeaders();
  stop = lines(tell, line => finish(line));
  if (ended) stop();
  return () => finish();
}
