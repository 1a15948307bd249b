/** Joins a TLS socket to an HTTP/2 connection: the only place where the two meet. */

import type { TLSSocket } from 'node:tls';
import type { H2Connection, H2Transport } from '../../http2/index.ts';

/**
 * Unencrypted bytes that may wait in a TLS socket. Node's own bound (64 KB, one flush of ours) would stop and
 * start the reading of applications with every write; that cost more than all encryption.
 */
const WAITING_BYTES = 1024 * 1024;

/** @param make builds the connection on the transport; it may write at once. */
export function bindTransport(tls: TLSSocket, make: (transport: H2Transport) => H2Connection): H2Connection {
  // Whoever is told to wait has gone beyond Node's bound too, so that 'drain' comes.
  const hasRoom = () => tls.writableLength < WAITING_BYTES;
  const connection = make({
    write: (chunk: Buffer) => {
      tls.write(chunk);
      return hasRoom();
    },
    writev: chunks => {
      tls.cork();
      for (const chunk of chunks) tls.write(chunk);
      tls.uncork();
      return hasRoom();
    },
    // Not `end`: HTTP/2 has no half-open transport, and the peer may never end its half.
    end: () => tls.destroySoon(),
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
