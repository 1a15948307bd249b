/** Joins a TLS socket to an HTTP/2 connection: the only place where the two meet. */

import type { TLSSocket } from 'node:tls';
import type { H2Connection, H2Transport } from '../../http2/index.ts';

/** @param make builds the connection on the transport; it may write at once. */
export function bindTransport(tls: TLSSocket, make: (transport: H2Transport) => H2Connection): H2Connection {
  const connection = make({
    write: (chunk: Buffer) => tls.write(chunk),
    writev: chunks => {
      tls.cork();
      for (const chunk of chunks) tls.write(chunk);
      tls.uncork();
      return !tls.writableNeedDrain;
    },
    end: () => tls.end(),
    destroy: () => tls.destroy(),
  });
  tls.setNoDelay(true);
  tls.on('data', (chunk: Buffer) => connection.receive(chunk));
  tls.on('drain', () => connection.drained());
  tls.on('end', () => connection.transportEnded());
  tls.on('error', error => connection.transportEnded(error));
  tls.on('close', () => connection.transportEnded());
  return connection;
}
