/**
 * What a hop for gRPC costs with Node's own HTTP/2: one session per server, in turn, streams joined by hand, no routes,
 * no policy, no metrics. A measure, not a proxy: it shows why nodemesh has an HTTP/2 of its own.
 *
 *   node bench/contenders/http/node-http2-hop.ts PORT SERVER…
 */

import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';

const WINDOW_BYTES = 4 * 1024 * 1024;
const STREAMS = 1_000;
const settings = { enablePush: false, initialWindowSize: WINDOW_BYTES };

const [port, ...servers] = process.argv.slice(2);
const sessions: ClientHttp2Session[] = servers.map(server => connect(`http://${server}`, { settings }));
let turn = 0;

createServer({ settings: { ...settings, maxConcurrentStreams: STREAMS } })
  .on('stream', (stream, headers) => {
    turn = (turn + 1) % sessions.length;
    const session = sessions[turn];
    if (session !== undefined) join(stream as ServerHttp2Stream, headers, session);
  })
  .listen(Number(port), '127.0.0.1');

function join(down: ServerHttp2Stream, headers: IncomingHttpHeaders, session: ClientHttp2Session): void {
  const up = session.request(headers);
  let trailers: IncomingHttpHeaders = {};
  down.on('data', chunk => up.write(chunk));
  down.on('end', () => up.end());
  down.on('wantTrailers', () => down.sendTrailers(trailers));
  down.on('close', () => up.close());
  down.on('error', () => up.close());
  up.on('response', head => {
    if (!down.destroyed) down.respond(head, { waitForTrailers: true });
  });
  up.on('trailers', last => {
    trailers = last;
  });
  up.on('data', chunk => {
    if (!down.destroyed) down.write(chunk);
  });
  up.on('end', () => {
    if (!down.destroyed) down.end();
  });
  up.on('error', () => down.close());
}
