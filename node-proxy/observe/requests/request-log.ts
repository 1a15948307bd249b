/** The access log of requests: one JSON line each, with the fields that are asked for, of all requests or of some. */

import type { RequestEntry, RequestSink } from '../../policy/flow.ts';
import { LogLines } from '../log-lines.ts';
import { DEFAULT_REQUEST_FIELDS, fieldWriter, type RequestField } from './request-fields.ts';

export interface RequestLogSettings {
  /** A file, `stdout` or `off`. */
  file: string;
  /** In this order; undefined: {@link DEFAULT_REQUEST_FIELDS}. */
  fields?: readonly RequestField[];
  /** Share of the requests that get a line, 0 to 1. */
  sample: number;
  /** Requests that went wrong get a line whatever the share. */
  errorsAlways: boolean;
}

export const DEFAULT_REQUEST_LOG: RequestLogSettings = { file: 'off', sample: 1, errorsAlways: true };

type End = Parameters<RequestSink['wants']>[0];

export class RequestLog implements RequestSink {
  readonly #settings: RequestLogSettings;
  readonly #lines: LogLines;
  readonly #begin: string;
  readonly #fields: (entry: RequestEntry) => string;
  readonly #now: () => number;
  readonly #random: () => number;

  /**
   * @param now milliseconds since 1970.
   * @param random 0 ≤ random() < 1
   */
  constructor(settings: RequestLogSettings, node: string, now: () => number, random: () => number) {
    this.#settings = settings;
    this.#lines = new LogLines(settings.file);
    this.#begin = `","kind":"request","node":${JSON.stringify(node)}`;
    this.#fields = fieldWriter(settings.fields ?? DEFAULT_REQUEST_FIELDS);
    this.#now = now;
    this.#random = random;
  }

  /** Lines that were not written. */
  get dropped(): number {
    return this.#lines.dropped;
  }

  wants(end: End): boolean {
    const { sample, errorsAlways } = this.#settings;
    return sample >= 1 || (errorsAlways && isError(end)) || this.#random() < sample;
  }

  write(entry: RequestEntry): void {
    const time = new Date(this.#now()).toISOString();
    this.#lines.write(`{"time":"${time}${this.#begin}${this.#fields(entry)}}\n`);
  }

  /** Hands what is pending to the kernel. */
  flush(): void {
    this.#lines.flush();
  }

  close(): void {
    this.#lines.close();
  }
}

/** What the proxy refused or broke off, what got no response, and what failed. A 404 is an answer. */
function isError({ status, grpcStatus, reason }: End): boolean {
  return reason !== '' || status === 0 || status >= 500 || grpcStatus > 0;
}
