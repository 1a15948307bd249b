/**
 * The application of the bench: answers raw TCP requests (`requests.ts`). Knows nothing of any proxy.
 *
 *   node bench/load/echo.ts        listens on $PORT, all addresses; says where
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { bytesOf, ECHO, RECEIVE, REQUEST_BYTES, SEND } from './requests.ts';

const BACKLOG = 4096;
const CHUNK = Buffer.alloc(256 * 1024, 0x79);

const server = createServer({ noDelay: true, allowHalfOpen: true }, serve);
server.listen({ port: Number(process.env['PORT'] ?? 80), backlog: BACKLOG }, () => {
  process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`);
});

function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  // Also for probes, which connect and leave without a request.
  socket.on('end', () => socket.end());
  let head = Buffer.alloc(0);
  const begin = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    if (head.length < REQUEST_BYTES) return;
    socket.off('data', begin);
    const first = head.subarray(0, REQUEST_BYTES);
    const rest = head.subarray(REQUEST_BYTES);
    if (first[0] === ECHO) echo(socket, head);
    else if (first[0] === SEND) send(socket, bytesOf(first));
    else if (first[0] === RECEIVE) receive(socket, first, bytesOf(first) - rest.length);
    else socket.destroy();
  };
  socket.on('data', begin);
}

function echo(socket: Socket, first: Buffer): void {
  socket.write(first);
  socket.on('data', chunk => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
}

function send(socket: Socket, bytes: number): void {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.off('drain', more);
    socket.end();
  };
  socket.on('drain', more);
  more();
}

function receive(socket: Socket, receipt: Buffer, bytes: number): void {
  let left = bytes;
  const count = (length: number) => {
    left -= length;
    if (left === 0) socket.write(receipt);
  };
  socket.on('data', chunk => count(chunk.length));
  if (left === 0) count(0);
}
