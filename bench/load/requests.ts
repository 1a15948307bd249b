/**
 * The language between the load generator and the echo server. A connection begins with one request of 64 bytes
 * whose first byte says what the connection is for:
 *
 *   E  echo: this and every later request comes back as it is
 *   S  send: the server sends as many bytes as bytes 8–15 say (big endian), then half-closes
 *   R  receive: the client sends as many bytes as bytes 8–15 say; then the request comes back as a receipt
 */

export const REQUEST_BYTES = 64;

export const ECHO = 0x45;
export const SEND = 0x53;
export const RECEIVE = 0x52;

/** @param bytes for SEND and RECEIVE: how many. */
export function request(verb: number, bytes = 0): Buffer {
  const message = Buffer.alloc(REQUEST_BYTES, 0x78);
  message[0] = verb;
  message.writeBigUInt64BE(BigInt(bytes), 8);
  return message;
}

export function bytesOf(message: Buffer): number {
  return Number(message.readBigUInt64BE(8));
}
