/**
 * GET and POST over HTTP/1.1 keep-alive. Every answer has to be a 200 with a Content-Length of what was asked for; so much
 * is read as it should cost a client that wants to be quick.
 */

import type { Dialect } from './dialect.ts';

const HEAD_END = '\r\n\r\n';
/** No answer here has a head this long. */
const MOST_HEAD_BYTES = 8 * 1024;

/** @param sentBytes of the request's body; 0: GET, without one. */
export function httpDialect(authority: string, bodyBytes: number, sentBytes = 0): Dialect {
  const lines = [
    `${sentBytes > 0 ? 'POST' : 'GET'} /bytes/${bodyBytes} HTTP/1.1`,
    `host: ${authority}`,
    'user-agent: nodemesh-bench',
    'accept: */*',
    ...(sentBytes > 0 ? [`content-length: ${sentBytes}`] : []),
  ];
  return {
    request: Buffer.from(`${lines.join('\r\n')}${HEAD_END}${'x'.repeat(sentBytes)}`, 'latin1'),
    streamIdAt: [],
    reader: (_, answered) => answerReader(bodyBytes, answered),
  };
}

function answerReader(bodyBytes: number, answered: (n: number) => void): (chunk: Buffer) => void {
  /** Of the body; -1 while the head is incomplete. */
  let missing = -1;
  let head = '';
  let n = 0;
  return chunk => {
    for (let at = 0; at < chunk.length; ) {
      if (missing < 0) {
        const before = head.length;
        head += chunk.toString('latin1', at, Math.min(chunk.length, at + MOST_HEAD_BYTES));
        const end = head.indexOf(HEAD_END);
        if (end < 0) {
          if (head.length >= MOST_HEAD_BYTES) throw new Error('an answer has a head without an end');
          return;
        }
        check(head.slice(0, end), bodyBytes);
        at += end + HEAD_END.length - before;
        head = '';
        missing = bodyBytes;
      }
      const taken = Math.min(missing, chunk.length - at);
      at += taken;
      missing -= taken;
      if (missing > 0) return;
      missing = -1;
      answered(n++);
    }
  };
}

function check(head: string, bodyBytes: number): void {
  const length = /^content-length: *(\d+)\r?$/im.exec(head)?.[1];
  if (head.startsWith('HTTP/1.1 200') && length === `${bodyBytes}`) return;
  throw new Error(
    `${bodyBytes} bytes were asked for and answered with '${head.slice(0, 200).replaceAll('\r\n', ' | ')}'`,
  );
}
