/**
 * What we tell HTTP/2 peers, both clients and applications. The windows are what a reader that stopped can make us
 * hold: per stream, and over all streams of a connection.
 */

import type { H2Options } from '../../http2/index.ts';

/** Enough for 250 MB/s at a round trip of 1 ms. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** 64 streams that nobody reads, before they hold up the others. */
const CONNECTION_WINDOW_BYTES = 64 * STREAM_WINDOW_BYTES;
/** As HTTP/1.1 takes it, see http1/limits.ts. */
const HEADER_LIST_BYTES = 64 * 1024;

export function settingsFor(streams: number): Pick<H2Options, 'settings' | 'connectionWindow' | 'trusted'> {
  return {
    // What is passed on was received; edits were checked with their rule.
    trusted: true,
    settings: {
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxFrameSize: 64 * 1024,
      maxConcurrentStreams: streams,
      maxHeaderListSize: HEADER_LIST_BYTES,
    },
    connectionWindow: CONNECTION_WINDOW_BYTES,
  };
}
