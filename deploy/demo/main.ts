/**
 * `npm run demo`: opens the ports that a browser on this machine may use, then starts the demo proper
 * (`inside.ts`) in a private corner of the machine and waits for its end. Whatever happens to either of the two,
 * the corner and all in it goes away.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import { isolation } from '../isolate.ts';
import { DOORS } from './doors.ts';
import { readOptions, USAGE } from './options.ts';

const STOP_TIMEOUT_MS = 30_000;

process.exitCode = await main();

async function main(): Promise<number> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  try {
    readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}\n`);
    return 2;
  }
  const corner = isolation();
  if (!corner.possible) {
    process.stderr.write(`The demo makes its own network inside this machine, but: ${corner.reason}.\n`);
    return 1;
  }
  return runInside(corner.prefix);
}

async function runInside([command = '', ...prefix]: readonly string[]): Promise<number> {
  const doors = await Promise.all(DOORS.map(({ port }) => openDoor(port)));
  // A socket stays in the namespace where it was made: the demo accepts on these from its own corner.
  const descriptors = doors.map(door => (door as unknown as { _handle: { fd: number } })._handle.fd);
  const inside = join(import.meta.dirname, 'inside.ts');
  const child = spawn(command, [...prefix, process.execPath, inside, ...process.argv.slice(2)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...descriptors],
  });
  for (const door of doors) door.close();
  // Ctrl-C reaches the demo through the terminal as well; a closed channel tells it in every other case.
  const leave = () => {
    if (child.connected) child.disconnect();
    setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, leave);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal === null ? (code ?? 1) : 1;
}

/** Listens on the loopback device: on the well-known port if that is free, else on any. */
async function openDoor(port: number): Promise<Server> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
  return server;
}
