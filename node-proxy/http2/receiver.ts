/**
 * The peer's frames, one method each: checks them against the state of their stream (RFC 9113 §5.1, §6),
 * charges flow control and floods, and delivers. A rule of the stream resets the stream; a rule of the
 * connection throws a Violation, which ends the connection.
 */

import type { StreamEvents } from './api.ts';
import {
  CONTINUATION,
  FLAG_ACK,
  FLAG_END_STREAM,
  GOAWAY,
  H2Code,
  HEADERS,
  MAX_31_BIT,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './constants.ts';
import { Violation } from './error.ts';
import { HeaderBlock } from './frame/header-block.ts';
import type { FrameSink } from './frame/reader.ts';
import { type HeaderFacts, readRequest, readResponse, readTrailers } from './header-rules.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import type { Header } from './hpack/header.ts';
import type { Session } from './session.ts';
import { Stream } from './stream.ts';

/** Until the user has returned its own events. */
const NO_EVENTS: StreamEvents = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onReset() {},
  onDrain() {},
};

/**
 * WINDOW_UPDATEs that each DATA frame of ours pays for. Envoy's default
 * (`max_inbound_window_update_frames_per_data_frame_sent`); haproxy 2.6 sends three or more per frame.
 */
const WINDOW_UPDATES_PER_DATA = 10;

export class Receiver implements FrameSink {
  readonly #session: Session;
  readonly #decoder: HpackDecoder;
  readonly #block: HeaderBlock;
  /** The DATA frame being received: its stream (undefined: nobody wants it) and what is left to account for. */
  #stream: Stream | undefined = undefined;
  #unaccounted = 0;
  #endStream = false;
  #empty = true;

  constructor(session: Session) {
    const { settings, limits } = session;
    this.#session = session;
    this.#decoder = new HpackDecoder(settings.headerTableSize);
    this.#block = new HeaderBlock(limits.headerBlockBytes, limits.continuations);
  }

  // ── DATA ──

  dataBegins(streamId: number, length: number, flags: number): void {
    const session = this.#session;
    const stream = session.streams.get(streamId);
    this.#stream = undefined;
    this.#unaccounted = length;
    this.#empty = true;
    this.#endStream = (flags & FLAG_END_STREAM) !== 0;
    if (!session.chargeConnection(length))
      throw new Violation(H2Code.FLOW_CONTROL_ERROR, 'DATA beyond the window of the connection');
    if (stream === undefined) this.#onGoneStream(streamId, 'DATA');
    else if (stream.remoteEnded) this.#streamError(stream, H2Code.STREAM_CLOSED);
    else if (stream.awaits === 'response') this.#streamError(stream, H2Code.PROTOCOL_ERROR);
    else if (!stream.charge(length)) this.#streamError(stream, H2Code.FLOW_CONTROL_ERROR);
    else this.#stream = stream;
  }

  data(buffer: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    const bytes = end - start;
    this.#unaccounted -= bytes;
    this.#empty = false;
    if (stream === undefined || stream.closed) {
      this.#session.creditConnection(bytes);
      return;
    }
    if (stream.promised >= 0 && (stream.promised -= bytes) < 0) {
      this.#session.creditConnection(bytes);
      this.#streamError(stream, H2Code.PROTOCOL_ERROR);
      return;
    }
    stream.deliver(buffer.subarray(start, end));
  }

  dataEnds(): void {
    const session = this.#session;
    const stream = this.#stream;
    this.#stream = undefined;
    if (this.#unaccounted > 0) {
      if (stream !== undefined) stream.skip(this.#unaccounted);
      else session.creditConnection(this.#unaccounted);
    }
    if (this.#empty && !this.#endStream) session.floods.idles.spend();
    // Some peers measure the way with a PING per round trip while they send.
    else session.floods.acks.earn(0.5);
    if (this.#endStream && stream !== undefined && !stream.closed) this.#endRemote(stream);
  }

  // ── all others ──

  frame(type: number, flags: number, streamId: number, payload: Buffer, start: number, end: number): void {
    const session = this.#session;
    switch (type) {
      case HEADERS:
      case CONTINUATION:
        if (this.#block.take(type, flags, payload, start, end)) this.#headers(streamId);
        return;
      case WINDOW_UPDATE:
        this.#windowUpdate(streamId, payload.readUInt32BE(start) & MAX_31_BIT);
        return;
      case RST_STREAM:
        this.#reset(streamId, payload.readUInt32BE(start));
        return;
      case SETTINGS:
        if ((flags & FLAG_ACK) === 0) {
          session.floods.acks.spend();
          session.takeSettings(payload, start, end);
        } else if (session.settingsAcknowledged())
          this.#decoder.acknowledged(session.settings.headerTableSize);
        else session.floods.idles.spend();
        return;
      case PING: {
        const high = payload.readUInt32BE(start);
        const low = payload.readUInt32BE(start + 4);
        session.floods.acks.spend();
        if ((flags & FLAG_ACK) === 0) session.control.ping(true, high, low);
        else session.takePong(high, low);
        return;
      }
      case GOAWAY:
        session.floods.idles.spend();
        session.takeGoaway(payload.readUInt32BE(start) & MAX_31_BIT, payload.readUInt32BE(start + 4));
        return;
      default:
        // PRIORITY and unknown types mean nothing to us (§5.5, §6.3).
        session.floods.idles.spend();
        if (type === PRIORITY) return;
    }
  }

  #windowUpdate(streamId: number, increment: number): void {
    const session = this.#session;
    const { sender } = session;
    session.floods.windowUpdates.earn(sender.framesSent * WINDOW_UPDATES_PER_DATA);
    sender.framesSent = 0;
    session.floods.windowUpdates.spend();
    if (streamId === 0) {
      if (increment === 0) throw new Violation(H2Code.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
      sender.window += increment;
      if (sender.window > MAX_31_BIT)
        throw new Violation(H2Code.FLOW_CONTROL_ERROR, 'the window of the connection is too large');
      sender.pump();
      return;
    }
    const stream = session.streams.get(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw idle('WINDOW_UPDATE', streamId);
      return;
    }
    if (increment === 0) return this.#streamError(stream, H2Code.PROTOCOL_ERROR);
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_31_BIT) return this.#streamError(stream, H2Code.FLOW_CONTROL_ERROR);
    sender.windowChanged(stream);
    sender.pump();
  }

  #reset(streamId: number, code: number): void {
    const session = this.#session;
    const stream = session.streams.get(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw idle('RST_STREAM', streamId);
      session.floods.idles.spend();
      return;
    }
    if (session.role === 'server' && !stream.answered) session.floods.resets.spend();
    stream.terminate(code, 'peer');
  }

  // ── headers ──

  #headers(streamId: number): void {
    const session = this.#session;
    const { buffer, start, end, endStream } = this.#block;
    // Also for streams that are gone: the table must stay in step.
    const headers = this.#decoder.decode(buffer, start, end, session.settings.maxHeaderListSize);
    const stream = session.streams.get(streamId);
    if (stream !== undefined) this.#moreHeaders(stream, headers, endStream);
    else if (session.role === 'server' && streamId % 2 === 1 && streamId > session.lastPeerId)
      this.#request(streamId, headers, endStream);
    else {
      this.#onGoneStream(streamId, 'HEADERS');
      session.chargeLateHeaders(streamId);
    }
  }

  #request(streamId: number, headers: readonly Header[], endStream: boolean): void {
    const session = this.#session;
    if (streamId > session.lastAccepted) return session.floods.idles.spend();
    session.lastPeerId = streamId;
    const refused = session.streams.size >= session.settings.maxConcurrentStreams;
    if (refused || session.events.onStream === undefined) {
      session.floods.resets.spend();
      session.writeReset(streamId, H2Code.REFUSED_STREAM);
      return;
    }
    const facts = readRequest(headers, session.settings.enableConnectProtocol);
    const method = facts.connect ? 'CONNECT' : facts.head ? 'HEAD' : 'other';
    const stream = new Stream(
      streamId,
      session,
      NO_EVENTS,
      session.peer.initialWindowSize,
      session.initialReceiveWindow,
      method,
      facts.connect ? 'nothing' : 'trailers',
    );
    session.streams.set(streamId, stream);
    if (!facts.connect) stream.promised = facts.contentLength;
    if (this.#isMalformed(stream, facts, endStream)) return session.events.onMalformed?.();
    stream.events = session.events.onStream(stream, headers, endStream);
    if (endStream && !stream.closed) stream.endRemote();
  }

  #moreHeaders(stream: Stream, headers: readonly Header[], endStream: boolean): void {
    if (stream.remoteEnded) return this.#streamError(stream, H2Code.STREAM_CLOSED);
    if (stream.awaits === 'response') return this.#response(stream, headers, endStream);
    // §8.5: nothing but DATA in a tunnel. §8.1: trailers end the stream.
    if (stream.awaits === 'nothing' || !endStream) return this.#streamError(stream, H2Code.PROTOCOL_ERROR);
    if (this.#isMalformed(stream, readTrailers(headers), true)) return;
    stream.events.onHeaders(headers, true);
    if (!stream.closed) stream.endRemote();
  }

  #response(stream: Stream, headers: readonly Header[], endStream: boolean): void {
    const facts = readResponse(headers);
    const interim = facts.status < 200;
    if (interim) {
      // A final response will come, in theory; a peer could send interim ones for ever.
      this.#session.floods.idles.spend();
      if (endStream) facts.error ??= 'an interim response ends the stream';
    }
    if (!interim) {
      const tunnel = stream.method === 'CONNECT' && facts.status < 300;
      const empty = stream.method === 'HEAD' || facts.status === 204 || facts.status === 304;
      stream.awaits = tunnel ? 'nothing' : 'trailers';
      stream.promised = tunnel ? -1 : empty ? 0 : facts.contentLength;
    }
    if (this.#isMalformed(stream, facts, endStream)) return;
    stream.events.onHeaders(headers, endStream);
    if (endStream && !stream.closed) stream.endRemote();
  }

  // ── judgement ──

  #isMalformed(stream: Stream, facts: HeaderFacts, endStream: boolean): boolean {
    if (this.#decoder.tooLarge) this.#streamError(stream, H2Code.ENHANCE_YOUR_CALM);
    else if (facts.error !== undefined || (endStream && stream.promised > 0))
      this.#streamError(stream, H2Code.PROTOCOL_ERROR);
    else return false;
    return true;
  }

  #endRemote(stream: Stream): void {
    if (stream.promised > 0) this.#streamError(stream, H2Code.PROTOCOL_ERROR);
    else stream.endRemote();
  }

  #streamError(stream: Stream, code: number): void {
    if (this.#session.role === 'server') this.#session.floods.resets.spend();
    stream.reset(code);
  }

  /** DATA or HEADERS on a stream that is not open. */
  #onGoneStream(streamId: number, what: string): void {
    if (this.#isIdle(streamId)) throw idle(what, streamId);
    if (streamId > this.#session.lastAccepted || this.#session.wasReset(streamId)) return;
    throw new Violation(H2Code.STREAM_CLOSED, `${what} on stream ${streamId}, which the peer has closed`);
  }

  #isIdle(streamId: number): boolean {
    const { role, nextId, lastPeerId, lastAccepted } = this.#session;
    if (streamId % 2 === 0) return true;
    if (role === 'client') return streamId >= nextId;
    return streamId > lastPeerId && streamId <= lastAccepted;
  }
}

function idle(what: string, streamId: number): Violation {
  return new Violation(H2Code.PROTOCOL_ERROR, `${what} on idle stream ${streamId}`);
}
