/** The least of a WebSocket server (RFC 6455): accepts the handshake and says back what it is told. */

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** RFC 6455 §1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** The longest that the two-byte length can say. */
const MAX_PAYLOAD = 65_535;

/** Takes a connection over that asked to be upgraded. */
export function echo(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const key = request.headers['sec-websocket-key'];
  if (typeof key !== 'string') {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  let pending = head;
  const read = (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = readFrame(pending); frame !== undefined; frame = readFrame(pending)) {
      pending = pending.subarray(frame.end);
      if (frame.opcode === CLOSE) {
        socket.end(frameOf(CLOSE, frame.payload));
        return;
      }
      if (frame.opcode === PING) socket.write(frameOf(PONG, frame.payload));
      else if (frame.opcode === TEXT || frame.opcode === BINARY)
        socket.write(frameOf(frame.opcode, frame.payload));
    }
  };
  socket.on('error', () => {});
  socket.on('data', read);
  read(Buffer.alloc(0));
}

/** The first whole frame of a client, unmasked (RFC 6455 §5.2); undefined while it is not complete. */
export function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < 6) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const at = short === 126 ? 4 : 2;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const end = at + 4 + length;
  if (short === 127 || bytes.length < end) return undefined;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, end)).map((byte, i) => byte ^ (mask[i & 3] ?? 0));
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload: Buffer.from(payload), end };
}

/** A frame of a server: whole and unmasked. */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  if (payload.length > MAX_PAYLOAD) throw new RangeError(`a frame carries at most ${MAX_PAYLOAD} bytes`);
  const header =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([header, payload]);
}
