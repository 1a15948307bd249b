/**
 * An HBONE peer that is not ours, run inside a pod: `hbone-caller.ts IDENTITY.json IP PORT METHOD PATH…` speaks TLS and
 * HTTP/2 with the certificate in the file to IP:15008, asks for each method and path through a CONNECT of its own, and
 * prints what came of them as JSON.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls } from 'node:tls';

export interface HboneAnswer {
  /** Status of the CONNECT. */
  connected: number;
  /** Of the response within; 0: there was none. */
  status: number;
}

const HBONE_PORT = 15008;

const [identityFile = '', ip = '', port = '', ...asked] = process.argv.slice(2);
const { key, cert, ca } = JSON.parse(readFileSync(identityFile, 'utf8')) as Record<
  'key' | 'cert' | 'ca',
  string
>;
// Which workload answers is not what is asked here.
const tls = connectTls({
  host: ip,
  port: HBONE_PORT,
  key,
  cert,
  ca,
  ALPNProtocols: ['h2'],
  checkServerIdentity: () => undefined,
});
await once(tls, 'secureConnect');
const session = connectHttp2('https://peer', { createConnection: () => tls });
const answers: HboneAnswer[] = [];
for (let i = 0; i + 1 < asked.length; i += 2) answers.push(await ask(asked[i] ?? '', asked[i + 1] ?? ''));
process.stdout.write(JSON.stringify(answers), () => process.exit(0));

async function ask(method: string, path: string): Promise<HboneAnswer> {
  const stream = session.request({ ':method': 'CONNECT', ':authority': `${ip}:${port}` });
  const [{ ':status': connected }] = (await once(stream, 'response')) as [{ ':status': number }];
  if (connected !== 200) return { connected, status: 0 };
  const body = method === 'POST' ? '{"op1":4,"op2":2}' : '';
  const headers = { host: 'multiplication.calculator', 'content-length': body.length };
  const call = request({ createConnection: () => stream, method, path, headers });
  call.end(body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  response.resume();
  return { connected, status: response.statusCode ?? 0 };
}
