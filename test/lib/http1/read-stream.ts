/** Whole conversations through the HTTP/1.1 parsers, in any pieces: what came out, as plain values to compare. */

import {
  Http1Error,
  type Http1Limits,
  type Http1Reason,
  RequestParser,
  ResponseParser,
} from '../../../node-proxy/http1/index.ts';

export interface ReadMessage {
  /** Method and target, or the status. */
  start: string;
  host: string;
  minor: number;
  fields: (readonly [string, string])[];
  framing: number;
  keepAlive: boolean;
  upgrade: string;
  flags: number;
  /** Body as received, with the framing of chunks. */
  raw: string;
  /** Body without it. */
  payload: string;
  complete: boolean;
  /** Bytes of the conversation up to its end, once it is complete. */
  end: number;
}

export interface ReadStream {
  messages: ReadMessage[];
  error: Http1Reason | undefined;
  status: number | undefined;
  /** Bytes of a head that never ended. */
  started: boolean;
  /** What follows an agreed upgrade. */
  opaque: string;
}

/** Cuts `bytes` at the given places; places outside, and doubled ones, do not matter. */
export function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.filter(cut => cut > 0 && cut < bytes.length), bytes.length])];
  places.sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  // Each piece in memory of its own, shifted, so that nothing can be read beyond it.
  for (let i = 1; i < places.length; i++)
    pieces.push(Buffer.concat([Buffer.from('?'), bytes.subarray(places[i - 1], places[i])]));
  return pieces;
}

export function readRequests(
  text: string | Buffer,
  cuts: readonly number[] = [],
  limits?: Partial<Http1Limits>,
): ReadStream {
  return readStream(new RequestParser(limits), bytesOf(text), cuts);
}

/** @param methods of the requests that are answered, in order; @param offered the upgrade asked for. */
export function readResponses(
  text: string | Buffer,
  methods: readonly string[] = ['GET'],
  cuts: readonly number[] = [],
  offered = '',
): ReadStream {
  return readStream(new ResponseParser(), bytesOf(text), cuts, [...methods], offered);
}

export function bytesOf(text: string | Buffer): Buffer {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
}

function readStream(
  parser: RequestParser | ResponseParser,
  bytes: Buffer,
  cuts: readonly number[],
  methods: string[] = [],
  offered = '',
): ReadStream {
  const result: ReadStream = {
    messages: [],
    error: undefined,
    status: undefined,
    started: false,
    opaque: '',
  };
  if (parser instanceof ResponseParser) parser.expect(methods.shift() ?? '', offered);
  let message: ReadMessage | undefined;
  let opaque = false;
  try {
    let before = 0;
    for (const chunk of piecesOf(bytes, cuts)) {
      let at = 1;
      while (at < chunk.length) {
        if (opaque) {
          result.opaque += chunk.toString('latin1', at);
          break;
        }
        if (message === undefined) {
          at = parser.readHead(chunk, at);
          if (at < 0) break;
          message = messageOf(parser);
          result.messages.push(message);
        }
        at = readBody(parser, message, chunk, at);
        if (!parser.done) continue;
        message.complete = true;
        message.end = before + at - 1;
        message = undefined;
        if (parser instanceof RequestParser) parser.next();
        else if (parser.head.status === 101) opaque = true;
        else {
          const { interim } = parser.head;
          parser.next();
          if (!interim) parser.expect(methods.shift() ?? '', offered);
        }
      }
      before += chunk.length - 1;
    }
    if (message !== undefined) {
      message.complete = parser.ended();
      message.end = bytes.length;
    }
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    result.error = error.reason;
    result.status = error.status;
  }
  result.started = parser.started;
  return result;
}

function readBody(
  parser: RequestParser | ResponseParser,
  message: ReadMessage,
  chunk: Buffer,
  at: number,
): number {
  const pieces: number[] = [];
  const end = parser.readBody(chunk, at, pieces);
  message.raw += chunk.toString('latin1', at, end);
  for (let i = 0; i < pieces.length; i += 2)
    message.payload += chunk.toString('latin1', pieces[i], pieces[i + 1]);
  if (message.payload.length !== parser.payloadBytes)
    throw new Error('payloadBytes differs from the payload');
  return end;
}

function messageOf({ head }: RequestParser | ResponseParser): ReadMessage {
  return {
    start: 'method' in head ? `${head.method} ${head.target}` : String(head.status),
    host: 'host' in head ? head.host : '',
    minor: head.minor,
    fields: Array.from({ length: head.count }, (_, index) => [head.nameAt(index), head.valueAt(index)]),
    framing: head.framing,
    keepAlive: head.keepAlive,
    upgrade: head.upgrade,
    flags: head.flags,
    raw: '',
    payload: '',
    complete: false,
    end: 0,
  };
}
