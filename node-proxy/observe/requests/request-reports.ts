/** All that a policy worker says about requests: counted for the main thread, logged for people. */

import { RequestCounters, type RequestDelta } from './request-counters.ts';
import { RequestLog, type RequestLogSettings } from './request-log.ts';

export interface RequestReportsOptions {
  node: string;
  log: RequestLogSettings;
  /** Milliseconds since 1970. */
  now: () => number;
  /** 0 ≤ random() < 1 */
  random: () => number;
  /** @param droppedLogLines since the worker started. */
  send: (deltas: RequestDelta[], droppedLogLines: number) => void;
}

export class RequestReports {
  readonly counters = new RequestCounters();
  /** Undefined when the log is off. */
  readonly log: RequestLog | undefined;
  readonly #send: RequestReportsOptions['send'];
  #dropped = 0;

  constructor({ node, log, now, random, send }: RequestReportsOptions) {
    this.log = log.file === 'off' ? undefined : new RequestLog(log, node, now, random);
    this.#send = send;
  }

  /** Hands over what was counted and logged so far: every second, and before somebody reads the metrics. */
  flush(): void {
    this.log?.flush();
    const deltas = this.counters.take();
    const dropped = this.log?.dropped ?? 0;
    if (deltas.length > 0 || dropped !== this.#dropped) this.#send(deltas, dropped);
    this.#dropped = dropped;
  }

  close(): void {
    this.flush();
    this.log?.close();
  }
}
