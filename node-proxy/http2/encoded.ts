/** Headers encoded once, for those that are the same every time: our encoder keeps no state between blocks. */

import type { EncodedHeaders } from './api.ts';
import { H2Code } from './constants.ts';
import { H2Error } from './error.ts';
import { outgoingError } from './header-rules.ts';
import { encodedBound, encodeHeadersInto } from './hpack/encoder.ts';
import type { Header } from './hpack/header.ts';

/** @throws H2Error when a field is malformed. */
export function encodeHeaders(headers: readonly Header[]): EncodedHeaders {
  const wrong = outgoingError(headers);
  if (wrong !== undefined) throw new H2Error(H2Code.INTERNAL_ERROR, 'local', `malformed ${wrong}`, 'mesh');
  const into = Buffer.allocUnsafeSlow(encodedBound(headers));
  const end = encodeHeadersInto(headers, into, 0);
  return { headers, bytes: Buffer.copyBytesFrom(into, 0, end) };
}

/** `:status 200` and nothing else: one byte. */
export const STATUS_200: EncodedHeaders = encodeHeaders([[':status', '200']]);
