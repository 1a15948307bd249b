/** What a request is hashed by, so that a user stays with a backend or endpoint. */

import type { HashOn } from '#api';
import type { RequestView } from '../view.ts';
import { queryStart, queryValue } from './query.ts';

/**
 * @param sourceIp address of the client
 * @returns undefined if the request has no such thing, or an empty one: nothing binds it then.
 */
export function hashOf(on: HashOn, request: RequestView, sourceIp: string): string | undefined {
  switch (on.kind) {
    case 'header':
      return (on.name === 'host' ? request.authority : request.header(on.name)) || undefined;
    case 'cookie':
      return cookieValue(request.header('cookie'), on.name) || undefined;
    case 'query':
      return queryValue(request.path, queryStart(request.path), on.name) || undefined;
    case 'sourceAddress':
      return sourceIp || undefined;
    default:
      return undefined;
  }
}

/**
 * The first cookie of that name, as sent (RFC 6265 §4.2.1). HTTP/2 may send a field for each cookie (RFC 9113
 * §8.2.3), which arrive here joined by commas, so `, ` divides as `; ` does; neither can be in a value.
 */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined || name === '') return undefined;
  for (let at = header.indexOf(name); at >= 0; at = header.indexOf(name, at + 1)) {
    const equals = at + name.length;
    if (header.charCodeAt(equals) !== EQUALS || !startsPair(header, at)) continue;
    let end = equals + 1;
    while (end < header.length && !endsPair(header, end)) end += 1;
    return header.slice(equals + 1, end).trimEnd();
  }
  return undefined;
}

function startsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(header.charCodeAt(before))) before -= 1;
  if (before < 0) return true;
  const code = header.charCodeAt(before);
  return code === SEMICOLON || (code === COMMA && before < at - 1);
}

function endsPair(header: string, at: number): boolean {
  const code = header.charCodeAt(at);
  return code === SEMICOLON || (code === COMMA && isBlank(header.charCodeAt(at + 1)));
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const COMMA = 0x2c;
