/**
 * A node with a bridge, an enrolled pod and a foreign one, and a stand-in for the proxy inside the pod: it
 * records what arrives at which of the three ports, and answers with that port's name.
 */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Endpoint } from '#base/net.ts';
import { PROXY_MARK } from '#capture';
import { originalDestination } from '../../../node-proxy/kernel/index.ts';
import { NetnsLab, type TestNetns } from '../../lib/netns.ts';

export const NODE = { 4: '10.9.0.1', 6: 'fd09::1' } as const;
export const POD = { 4: '10.9.0.2', 6: 'fd09::2' } as const;
export const FOREIGN = { 4: '10.9.0.3', 6: 'fd09::3' } as const;
export const APP_PORT = 8080;

export interface Arrival {
  at: 'outbound' | 'inbound' | 'tunnel';
  from: string | undefined;
  wanted: Endpoint | undefined;
}

export interface CapturedPod extends AsyncDisposable {
  lab: NetnsLab;
  node: TestNetns;
  pod: TestNetns;
  foreign: TestNetns;
  /** What came to the proxy's ports, oldest first. */
  arrivals: Arrival[];
}

export async function capturedPod(): Promise<CapturedPod> {
  const lab = await NetnsLab.open();
  const node = await lab.namespace('node');
  const pod = await lab.namespace('pod');
  const foreign = await lab.namespace('foreign');
  await lab.bridge(node, 'br0', [`${NODE[4]}/24`, `${NODE[6]}/64`]);
  await lab.attach(pod, node, 'br0', [`${POD[4]}/24`, `${POD[6]}/64`]);
  await lab.attach(foreign, node, 'br0', [`${FOREIGN[4]}/24`, `${FOREIGN[6]}/64`]);
  const arrivals: Arrival[] = [];
  for (const [at, port] of [
    ['outbound', 15001],
    ['inbound', 15006],
    ['tunnel', 15008],
  ] as const)
    for (const ip of ['0.0.0.0', '::'])
      await pod.listen(
        ip,
        port,
        socket => {
          const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
          arrivals.push({ at, from: socket.remoteAddress, wanted: originalDestination(fd) });
          socket.end(at);
        },
        { mark: PROXY_MARK },
      );
  // Applications: answer with their name and whom they see, then echo.
  for (const [name, ns] of [
    ['pod', pod],
    ['foreign', foreign],
    ['node', node],
  ] as const)
    for (const ip of ['0.0.0.0', '::'])
      await ns.listen(ip, APP_PORT, socket => {
        socket.write(`${name} ${socket.remoteAddress}`);
        socket.pipe(socket);
      });
  return { lab, node, pod, foreign, arrivals, [Symbol.asyncDispose]: () => lab.close() };
}

/** The first words of a connection; the connection is closed then. */
export async function answerOf(connecting: Promise<Socket>): Promise<string> {
  const socket = await connecting;
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString();
}

/** Sends a text and waits for it to come back. */
export async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}
