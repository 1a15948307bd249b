/** SETTINGS (RFC 9113 §6.5): ours to bytes, the peer's from bytes. */

import type { LocalSettings } from '../api.ts';
import {
  H2Code,
  HEADER_TABLE_BYTES,
  INITIAL_WINDOW_BYTES,
  MAX_31_BIT,
  MAX_MAX_FRAME_BYTES,
  MIN_MAX_FRAME_BYTES,
  SETTING_ENABLE_CONNECT_PROTOCOL,
  SETTING_ENABLE_PUSH,
  SETTING_HEADER_TABLE_SIZE,
  SETTING_INITIAL_WINDOW_SIZE,
  SETTING_MAX_CONCURRENT_STREAMS,
  SETTING_MAX_FRAME_SIZE,
  SETTING_MAX_HEADER_LIST_SIZE,
} from '../constants.ts';
import { Violation } from '../error.ts';

/** HBONE's numbers (ztunnel: config.rs); each can be given by the user. */
export const DEFAULT_SETTINGS: LocalSettings = {
  initialWindowSize: 4 * 1024 * 1024,
  maxFrameSize: 1024 * 1024,
  maxConcurrentStreams: 200,
  maxHeaderListSize: 64 * 1024,
  headerTableSize: HEADER_TABLE_BYTES,
  enableConnectProtocol: false,
};

/** What the peer has announced so far. */
export interface PeerSettings {
  headerTableSize: number;
  maxConcurrentStreams: number;
  initialWindowSize: number;
  maxFrameSize: number;
  maxHeaderListSize: number;
  enableConnectProtocol: boolean;
}

export function initialPeerSettings(): PeerSettings {
  return {
    headerTableSize: HEADER_TABLE_BYTES,
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    initialWindowSize: INITIAL_WINDOW_BYTES,
    maxFrameSize: MIN_MAX_FRAME_BYTES,
    maxHeaderListSize: Number.POSITIVE_INFINITY,
    enableConnectProtocol: false,
  };
}

/** The payload of our SETTINGS frame; what equals the protocol's default is left out. */
export function encodeSettings(settings: LocalSettings, role: 'client' | 'server'): Buffer {
  const pairs: [id: number, value: number][] = [];
  if (settings.headerTableSize !== HEADER_TABLE_BYTES)
    pairs.push([SETTING_HEADER_TABLE_SIZE, settings.headerTableSize]);
  if (role === 'client') pairs.push([SETTING_ENABLE_PUSH, 0]);
  else pairs.push([SETTING_MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams]);
  pairs.push([SETTING_INITIAL_WINDOW_SIZE, settings.initialWindowSize]);
  pairs.push([SETTING_MAX_FRAME_SIZE, settings.maxFrameSize]);
  pairs.push([SETTING_MAX_HEADER_LIST_SIZE, settings.maxHeaderListSize]);
  if (settings.enableConnectProtocol && role === 'server') pairs.push([SETTING_ENABLE_CONNECT_PROTOCOL, 1]);
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return payload;
}

/**
 * Applies the peer's SETTINGS payload.
 * @param toClient the receiver is a client: a server must not announce push.
 * @returns the smallest HEADER_TABLE_SIZE on the way: it may be lowered and raised in one frame, and our encoder has
 * to follow the smallest (RFC 7541 §4.2).
 */
export function applySettings(
  into: PeerSettings,
  payload: Buffer,
  start: number,
  end: number,
  toClient: boolean,
): number {
  let tableSize = into.headerTableSize;
  for (let at = start; at < end; at += 6) {
    apply(into, payload.readUInt16BE(at), payload.readUInt32BE(at + 2), toClient);
    tableSize = Math.min(tableSize, into.headerTableSize);
  }
  return tableSize;
}

function apply(into: PeerSettings, id: number, value: number, toClient: boolean): void {
  switch (id) {
    case SETTING_HEADER_TABLE_SIZE:
      into.headerTableSize = value;
      return;
    case SETTING_ENABLE_PUSH:
      if (value > 1 || (value === 1 && toClient)) throw bad('ENABLE_PUSH', value);
      return;
    case SETTING_MAX_CONCURRENT_STREAMS:
      into.maxConcurrentStreams = value;
      return;
    case SETTING_INITIAL_WINDOW_SIZE:
      if (value > MAX_31_BIT) throw bad('INITIAL_WINDOW_SIZE', value, H2Code.FLOW_CONTROL_ERROR);
      into.initialWindowSize = value;
      return;
    case SETTING_MAX_FRAME_SIZE:
      if (value < MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) throw bad('MAX_FRAME_SIZE', value);
      into.maxFrameSize = value;
      return;
    case SETTING_MAX_HEADER_LIST_SIZE:
      into.maxHeaderListSize = value;
      return;
    case SETTING_ENABLE_CONNECT_PROTOCOL:
      // RFC 8441 §3: once on, never off.
      if (value > 1 || (value === 0 && into.enableConnectProtocol))
        throw bad('ENABLE_CONNECT_PROTOCOL', value);
      into.enableConnectProtocol = value === 1;
      return;
    default:
    // Unknown settings are ignored (RFC 9113 §6.5.2).
  }
}

function bad(name: string, value: number, code: number = H2Code.PROTOCOL_ERROR): Violation {
  return new Violation(code, `SETTINGS_${name} can't be ${value}`);
}
