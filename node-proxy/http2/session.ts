/**
 * What the two directions of a connection share: its streams, settings, windows and state, and the frames
 * that speak about them. The receiver drives it with what the peer sent, the connection with what the user wants.
 *
 *   opening ──peer's SETTINGS──► open ──goaway(), peer's GOAWAY, ids used up──► draining
 *      │                           │                                              │ last stream gone, and (server)
 *      └───────── broken rule, lost transport, destroy() ──────► closed ◄─────────┘ nothing more under way
 */

import type {
  ConnectionEvents,
  ConnectionState,
  EncodedHeaders,
  H2Limits,
  H2Transport,
  LocalSettings,
} from './api.ts';
import { H2Code, HEADER_TABLE_BYTES, INITIAL_WINDOW_BYTES, MAX_31_BIT } from './constants.ts';
import { H2Error, type Initiator, Violation } from './error.ts';
import { Floods } from './floods.ts';
import { applySettings, encodeSettings, initialPeerSettings, type PeerSettings } from './frame/settings.ts';
import { outgoingError } from './header-rules.ts';
import type { Header } from './hpack/header.ts';
import { Control } from './send/control.ts';
import { Output, type Schedule } from './send/output.ts';
import { Sender } from './send/sender.ts';
import type { Stream, StreamOwner } from './stream.ts';
import { ReceiveWindow } from './window.ts';

export type Role = 'client' | 'server';

export interface SessionOptions {
  role: Role;
  transport: H2Transport;
  events: ConnectionEvents;
  settings: LocalSettings;
  limits: H2Limits;
  trusted: boolean;
  connectionWindow: number;
  schedule: Schedule;
  now: () => number;
}

/** Ids of streams that we reset: frames for them may be under way and are ignored. */
const REMEMBERED_RESETS = 1024;
/** HEADERS that may be under way on a stream that we reset: a hint, the response, trailers. */
const CROSSING_HEADERS = 3;
/** Payload of the PING that ends the first phase of our GOAWAY; others count from 1. */
const SHUTDOWN_PING = 0;

export class Session implements StreamOwner {
  readonly role: Role;
  readonly events: ConnectionEvents;
  readonly settings: LocalSettings;
  readonly limits: H2Limits;
  readonly output: Output;
  readonly control: Control;
  readonly sender: Sender;
  readonly floods: Floods;
  readonly streams = new Map<number, Stream>();
  readonly peer: PeerSettings = initialPeerSettings();
  state: ConnectionState = 'opening';
  /** Stops the reader: nothing is taken in any more, not even the rest of the present input. */
  stopReading: () => void = () => {};
  /** Client: the id of our next stream. */
  nextId = 1;
  /** Server: the highest stream of the peer so far. */
  lastPeerId = 0;
  /** Streams of the peer above this one are ignored: what our GOAWAY said. */
  lastAccepted = MAX_31_BIT;
  readonly #receive: ReceiveWindow;
  readonly #trusted: boolean;
  /** By id: how many HEADERS may still be under way. */
  readonly #resets = new Map<number, number>();
  /** Ids up to here have been dropped from `#resets`. */
  #resetsForgotten = 0;
  #saidGoaway = false;
  #draining: 'no' | 'announced' | 'final' = 'no';
  #pings = 0;
  #settingsAcknowledged = false;

  constructor({
    role,
    transport,
    events,
    settings,
    limits,
    trusted,
    connectionWindow,
    schedule,
    now,
  }: SessionOptions) {
    this.role = role;
    this.events = events;
    this.settings = settings;
    this.limits = limits;
    this.#trusted = trusted;
    this.output = new Output(transport, schedule);
    this.sender = new Sender(this.output, limits, INITIAL_WINDOW_BYTES);
    this.floods = new Floods(limits, now);
    const window = Math.max(connectionWindow, INITIAL_WINDOW_BYTES);
    this.#receive = new ReceiveWindow(window);
    this.control = new Control(this.output);
    this.control.opening(role === 'client', encodeSettings(settings, role), window - INITIAL_WINDOW_BYTES);
  }

  // ── frames of ours ──

  writeHeaders(streamId: number, headers: readonly Header[] | EncodedHeaders, endStream: boolean): void {
    if (!this.#trusted && !('bytes' in headers)) {
      const wrong = outgoingError(headers);
      if (wrong !== undefined) throw this.localError(`malformed ${wrong}`);
    }
    this.control.headers(streamId, headers, endStream);
  }

  writeReset(streamId: number, code: number): void {
    this.control.reset(streamId, code);
    this.#resets.set(streamId, CROSSING_HEADERS);
    if (this.#resets.size <= REMEMBERED_RESETS) return;
    for (const oldest of this.#resets.keys()) {
      this.#resets.delete(oldest);
      this.#resetsForgotten = Math.max(this.#resetsForgotten, oldest);
      break;
    }
  }

  writeWindowUpdate(streamId: number, bytes: number): void {
    this.control.windowUpdate(streamId, bytes);
  }

  ping(): void {
    this.#pings += 1;
    this.control.ping(false, 0, this.#pings);
  }

  #writeGoaway(lastStreamId: number, code: number): void {
    this.control.goaway(lastStreamId, code);
    this.#saidGoaway = true;
  }

  // ── credit ──

  /** DATA of `bytes` arrived on the connection. @returns false when that is more than allowed. */
  chargeConnection(bytes: number): boolean {
    return this.#receive.take(bytes);
  }

  creditConnection(bytes: number): void {
    if (bytes === 0 || this.state === 'closed') return;
    const increment = this.#receive.give(bytes);
    if (increment > 0) this.writeWindowUpdate(0, increment);
  }

  /** Receive window of new streams: until the peer knows our setting it may use the default (§6.9.2). */
  get initialReceiveWindow(): number {
    const { initialWindowSize } = this.settings;
    return this.#settingsAcknowledged ? initialWindowSize : Math.max(initialWindowSize, INITIAL_WINDOW_BYTES);
  }

  // ── the peer's SETTINGS, PING, GOAWAY ──

  takeSettings(payload: Buffer, start: number, end: number): void {
    const { peer } = this;
    const { initialWindowSize, headerTableSize } = peer;
    const tableSize = applySettings(peer, payload, start, end, this.role === 'client');
    this.sender.peerMaxFrame = peer.maxFrameSize;
    this.control.peerMaxFrame = peer.maxFrameSize;
    if (tableSize < Math.min(headerTableSize, HEADER_TABLE_BYTES)) this.control.tableUpdateDue = true;
    this.control.settingsAck();
    const change = peer.initialWindowSize - initialWindowSize;
    if (change !== 0) this.#changeSendWindows(change);
    if (this.state !== 'opening') return;
    this.state = 'open';
    this.events.onReady();
  }

  #changeSendWindows(change: number): void {
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_31_BIT)
        throw new Violation(H2Code.FLOW_CONTROL_ERROR, 'SETTINGS make a window too large');
      this.sender.windowChanged(stream);
    }
    this.sender.pump();
  }

  /** @returns true the first time. */
  settingsAcknowledged(): boolean {
    if (this.#settingsAcknowledged) return false;
    const shrink = this.initialReceiveWindow - this.settings.initialWindowSize;
    this.#settingsAcknowledged = true;
    if (shrink > 0) for (const stream of this.streams.values()) stream.shrinkReceiveWindow(shrink);
    return true;
  }

  takePong(high: number, low: number): void {
    if (high !== 0 || low > this.#pings) return;
    if (low !== SHUTDOWN_PING) this.events.onPong?.();
    else if (this.#draining === 'announced') this.#stopAccepting(H2Code.NO_ERROR);
  }

  takeGoaway(lastStreamId: number, code: number): void {
    this.state = 'draining';
    this.events.onGoaway(code, lastStreamId);
    // The peer has not looked at them and never will: they may be tried elsewhere (§8.7).
    for (const stream of this.streams.values())
      if (this.role === 'client' && stream.id > lastStreamId) stream.terminate(H2Code.REFUSED_STREAM, 'peer');
    // Both are leaving: no request can be under way any more that would have to be served.
    if (this.#draining === 'announced') this.#stopAccepting(H2Code.NO_ERROR);
    else this.#finishIfIdle();
  }

  // ── streams ──

  closed(stream: Stream): void {
    this.streams.delete(stream.id);
    if (stream.answered) this.floods.resets.earn(1);
    if (this.state === 'draining') this.#finishIfIdle();
  }

  /** We have reset this stream, so the peer could not yet know that its frames are in vain. */
  wasReset(streamId: number): boolean {
    return streamId <= this.#resetsForgotten || this.#resets.has(streamId);
  }

  /** HEADERS came on a stream that is gone. Those that crossed with a reset of ours cost the peer nothing. */
  chargeLateHeaders(streamId: number): void {
    const crossing = this.#resets.get(streamId) ?? 0;
    if (crossing > 0) this.#resets.set(streamId, crossing - 1);
    else this.floods.idles.spend();
  }

  // ── the end ──

  /** No new streams; ends when the present ones have. */
  drain(code: number): void {
    if (this.state === 'closed' || this.#draining !== 'no') return;
    this.state = 'draining';
    if (this.role === 'server' && code === H2Code.NO_ERROR) {
      // RFC 9113 §6.8: requests may be under way; they are served, and the PING tells when there are no more.
      this.#draining = 'announced';
      this.#writeGoaway(MAX_31_BIT, code);
      this.control.ping(false, 0, SHUTDOWN_PING);
    } else this.#stopAccepting(code);
  }

  #stopAccepting(code: number): void {
    this.#draining = 'final';
    this.lastAccepted = this.lastPeerId;
    this.#writeGoaway(this.lastPeerId, code);
    this.#finishIfIdle();
  }

  #finishIfIdle(): void {
    if (this.state !== 'draining' || this.streams.size > 0 || this.#draining === 'announced') return;
    if (!this.#saidGoaway) this.#writeGoaway(this.lastPeerId, H2Code.NO_ERROR);
    this.#close();
    this.output.finish();
    this.events.onClosed(undefined);
  }

  /** A rule was broken, or the user gave up: tell the peer, end everything. */
  fail(code: number, error: H2Error | undefined): void {
    if (this.state === 'closed') return;
    this.#close();
    this.#writeGoaway(this.lastPeerId, code);
    this.output.finish();
    this.#endStreams(code, error);
  }

  /** The transport is gone, or has to go at once. */
  lose(error: H2Error | undefined, abort: boolean): void {
    if (this.state === 'closed') return;
    this.#close();
    if (abort) this.output.abort();
    else this.output.drop();
    this.#endStreams(error?.h2Code ?? H2Code.CANCEL, error);
  }

  #close(): void {
    this.state = 'closed';
    this.stopReading();
  }

  #endStreams(code: number, error: H2Error | undefined): void {
    for (const stream of this.streams.values()) stream.terminate(code, 'connection');
    this.events.onClosed(error);
  }

  localError(message: string, code: number = H2Code.INTERNAL_ERROR): H2Error {
    return new H2Error(code, 'local', message, 'mesh');
  }

  /** @param initiator peer or transport: both are the other side's doing. */
  remoteError(code: number, initiator: Initiator, message: string, cause?: unknown): H2Error {
    return new H2Error(code, initiator, message, this.role === 'client' ? 'upstream' : 'client', cause);
  }
}
