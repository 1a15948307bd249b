/** 64 bytes there, the same 64 bytes back. */

import { ECHO, REQUEST_BYTES, request } from '../requests.ts';
import type { Dialect } from './dialect.ts';

export function echoDialect(): Dialect {
  return {
    request: request(ECHO),
    streamIdAt: [],
    reader: (_, answered) => {
      let received = 0;
      let n = 0;
      return chunk => {
        for (received += chunk.length; received >= REQUEST_BYTES; received -= REQUEST_BYTES) answered(n++);
      };
    },
  };
}
