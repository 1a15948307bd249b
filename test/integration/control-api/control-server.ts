/** A control API on a free loopback port, and a client for it. */

import type { TestContext } from 'node:test';
import type { Clock } from '#base/clock.ts';
import { parseDtab } from '#names';
import { dtabResource } from '../../../namerd/resources/index.ts';
import type { Route } from '../../../namerd/serve/http/router.ts';
import { HttpServer } from '../../../namerd/serve/http/server.ts';
import { memoryStorage, type Storage } from '../../../namerd/store/index.ts';

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

export type Call = (request: string, options?: RequestInit & { body?: string }) => Promise<Answer>;

export async function serve(
  t: TestContext,
  routes: readonly Route[],
  clock?: Clock,
): Promise<{ url: string; call: Call; server: HttpServer }> {
  const options = { ip: '127.0.0.1', port: 0, routes };
  const server = await HttpServer.listen(clock === undefined ? options : { ...options, clock });
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.port}`;
  return { url, server, call: caller(url) };
}

/** `call('GET /api/1/dtabs')` */
function caller(base: string): Call {
  return async (request, options = {}) => {
    const [method = '', path = ''] = request.split(/ (.*)/s);
    const response = await fetch(base + path, { method, ...options });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
}

/** Reads a stream line by line. */
export async function* streamed(url: string, headers: Record<string, string> = {}): AsyncGenerator<string> {
  const response = await fetch(url, { headers });
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** The state that the sample vectors start from. */
export function sampleStorage(): Storage {
  return memoryStorage(
    Object.entries({ yeezus: '/yeezy => /yeezus', tlop: '/yeezy => /pablo' }).map(([name, text]) =>
      dtabResource(name, parseDtab(text), text),
    ),
  );
}
