/** Outgoing TCP from inside a pod's network namespace, marked so that capture lets it pass. */

import { Socket } from 'node:net';
import { closeFd, connectingSocketIn, type Netns } from '../kernel/index.ts';
import { KEEP_ALIVE_MS, type SocketReader } from './accept.ts';
import { ConnectionRefused, refusalOf } from './failure.ts';
import { PROXY_MARK } from './hbone/wire.ts';

export interface DialTarget {
  ip: string;
  port: number;
  /** Source to keep, where the application must see its real caller; without a port the kernel picks one. */
  source?: { ip: string; port?: number };
}

/**
 * A socket that is connecting, paused; its events tell the rest.
 * @throws ConnectionRefused when it can't be made.
 */
export function startDial(netns: Netns, { ip, port, source }: DialTarget, reader?: SocketReader): Socket {
  const family = ip.includes(':') ? 6 : 4;
  // A source of the other family can't be kept: the application then sees the pod's own address.
  const keep = source !== undefined && source.ip.includes(':') === (family === 6) && source.ip !== ip;
  let fd: number;
  try {
    fd = connectingSocketIn(netns, {
      family,
      mark: PROXY_MARK,
      ...(keep ? { source: { ...source, transparent: true } } : {}),
    });
  } catch (error) {
    throw refusalOf(error, `a socket to ${ip}:${port}`);
  }
  let socket: Socket;
  try {
    const options = { fd, allowHalfOpen: true, ...(reader === undefined ? {} : { onread: reader }) };
    socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  } catch (error) {
    closeFd(fd);
    throw refusalOf(error, `a socket to ${ip}:${port}`);
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  // Reads must not start before the relay does; `connect` would resume an unpaused socket.
  socket.pause();
  socket.connect({ host: ip, port });
  return socket;
}

/** As {@link startDial}; resolves when connected. */
export function dial(
  netns: Netns,
  target: DialTarget,
  timeoutMs: number,
  reader?: SocketReader,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = startDial(netns, target, reader);
    const where = `${target.ip}:${target.port}`;
    const timer = setTimeout(() => {
      reject(new ConnectionRefused('connect_timeout', `${where} did not answer in ${timeoutMs} ms`));
      socket.destroy();
    }, timeoutMs);
    const onError = (error: Error) => {
      clearTimeout(timer);
      reject(refusalOf(error, where));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
