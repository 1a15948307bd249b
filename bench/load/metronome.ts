/**
 * The sending half of `paced.ts`, a worker thread: sleeps on a futex until a request is due (timers of the event
 * loop are too coarse: a millisecond) and writes it straight to the socket.
 */

import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { number } from './speech/numbered.ts';

export interface Tempo {
  /** Of connected sockets; request k goes to the one at k mod their number. */
  descriptors: readonly number[];
  /** What to send, and where the number of a connection's request goes (`Dialect`). */
  request: Uint8Array;
  streamIdAt: readonly number[];
  /** When the first is due, by `process.hrtime`. */
  startNs: bigint;
  intervalNs: number;
  requests: number;
  /** Filled in: by how many milliseconds each was late. */
  sentLate: Float64Array;
}

const { descriptors, request, streamIdAt, startNs, intervalNs, requests, sentLate } = workerData as Tempo;
const never = new Int32Array(new SharedArrayBuffer(4));
const start = Number(startNs);

for (let k = 0; k < requests; k++) {
  const due = start + k * intervalNs;
  let early = due - Number(process.hrtime.bigint());
  for (; early > 0; early = due - Number(process.hrtime.bigint())) Atomics.wait(never, 0, 0, early / 1e6);
  sentLate[k] = -early / 1e6;
  number(request, 0, streamIdAt, Math.floor(k / descriptors.length));
  // A few bytes always fit: the socket's buffer would have to hold thousands of unanswered requests.
  writeSync(descriptors[k % descriptors.length] ?? -1, request);
}
