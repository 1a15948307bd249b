/** Which dialect a speech is in. */

import type { Dialect, Speech } from './dialect.ts';
import { echoDialect } from './echo-dialect.ts';
import { grpcDialect } from './grpc-dialect.ts';
import { httpDialect } from './http-dialect.ts';

/** @param authority for the Host header or `:authority`. */
export function dialectOf(speech: Speech | undefined, authority: string): Dialect {
  switch (speech?.language) {
    case undefined:
    case 'echo':
      return echoDialect();
    case 'http':
      return httpDialect(authority, speech.bodyBytes, speech.sentBytes);
    case 'grpc':
      return grpcDialect(authority, speech.bodyBytes);
  }
}
