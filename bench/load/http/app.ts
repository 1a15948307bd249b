/**
 * The application of the L7 bench: answers `GET` and `POST /bytes/N` over HTTP/1.1 and the unary call of `grpc-dialect.ts` over
 * HTTP/2 cleartext, told apart by the first bytes. Knows nothing of any proxy.
 *
 *   node bench/load/http/app.ts        listens on $PORT, all addresses; says where
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { serveGrpc } from './grpc-app.ts';

const BACKLOG = 4096;
const HEAD_END = '\r\n\r\n';
const MOST_HEAD_BYTES = 64 * 1024;
const LENGTH = /^content-length: *(\d{1,9})\r?$/im;

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    if (first.toString('latin1', 0, 3) === 'PRI') serveGrpc(socket, first);
    else serveHttp(socket, first);
  });
});
server.listen({ port: Number(process.env['PORT'] ?? 80), backlog: BACKLOG }, () => {
  process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`);
});

/** By request line, since there are few. */
const answers = new Map<string, Buffer>();

/** Several requests may have arrived at once. Their bodies are counted and thrown away. */
function serveHttp(socket: Socket, first: Buffer): void {
  let text = '';
  /** Of the body under way. */
  let missing = 0;
  let answer: Buffer | undefined;
  const read = (chunk: Buffer) => {
    const ready: Buffer[] = [];
    let at = 0;
    const body = () => {
      const taken = Math.min(missing, chunk.length - at);
      at += taken;
      missing -= taken;
      if (missing > 0 || answer === undefined) return;
      ready.push(answer);
      answer = undefined;
    };
    body();
    while (at < chunk.length && missing === 0) {
      const before = text.length;
      text += chunk.toString('latin1', at, at + MOST_HEAD_BYTES);
      const end = text.indexOf(HEAD_END);
      if (end < 0) break;
      at += end + HEAD_END.length - before;
      answer = answerTo(text.slice(0, text.indexOf('\r\n')));
      missing = Number(LENGTH.exec(text.slice(0, end))?.[1] ?? 0);
      text = '';
      body();
    }
    if (text.length > MOST_HEAD_BYTES) socket.destroy();
    else if (ready.length === 1) socket.write(ready[0] ?? '');
    else if (ready.length > 1) socket.write(Buffer.concat(ready));
  };
  socket.on('data', read);
  read(first);
}

function answerTo(requestLine: string): Buffer {
  const known = answers.get(requestLine);
  if (known !== undefined) return known;
  const bytes = /^(?:GET|POST) \/bytes\/(\d{1,8}) HTTP\/1\.1$/.exec(requestLine)?.[1];
  const [status, body] = bytes === undefined ? ['404 Not Found', ''] : ['200 OK', 'x'.repeat(Number(bytes))];
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/octet-stream\r\ncontent-length: ${body.length}`;
  const answer = Buffer.from(`${head}${HEAD_END}${body}`, 'latin1');
  if (bytes !== undefined) answers.set(requestLine, answer);
  return answer;
}
