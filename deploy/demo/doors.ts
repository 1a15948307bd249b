/** The demo's doors to the machine outside: ports on its loopback device that lead to the mesh's own pages. */

import { type AddressInfo, connect, createServer, type Server } from 'node:net';

export interface Door {
  /** Well-known; another one is used where it is taken. */
  port: number;
  /** What is behind it, for people. */
  what: string;
  path: string;
  /** Where it leads, inside. */
  to: { host: string; port: number };
}

/** The descriptors begin after standard input, output, error and the channel to the parent. */
const FIRST_DESCRIPTOR = 4;

export const DOORS: readonly Door[] = [
  { port: 4180, what: 'namerd API', path: '/api/1/dtabs', to: { host: '10.99.0.1', port: 4180 } },
  { port: 9991, what: 'namerd admin', path: '/metrics', to: { host: '10.99.0.1', port: 9991 } },
  { port: 9990, what: 'node-1 metrics', path: '/metrics', to: { host: '10.99.0.11', port: 9990 } },
  { port: 9992, what: 'node-2 metrics', path: '/metrics', to: { host: '10.99.0.12', port: 9990 } },
];

/** Serves the doors that the parent process opened; returns what to print, and how to close them. */
export async function serveDoors(): Promise<{ urls: { what: string; url: string }[]; close(): void }> {
  const servers: Server[] = [];
  const urls: { what: string; url: string }[] = [];
  for (const [i, { to, what, path }] of DOORS.entries()) {
    const server = createServer(outside => {
      const inside = connect(to);
      outside.pipe(inside).pipe(outside);
      outside.on('error', () => inside.destroy());
      inside.on('error', () => outside.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ fd: FIRST_DESCRIPTOR + i }, resolve);
    });
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    urls.push({ what, url: `http://127.0.0.1:${port}${path}` });
  }
  const close = () => {
    for (const server of servers) server.close();
  };
  return { urls, close };
}
