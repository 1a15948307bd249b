/**
 * Which header lists are well-formed (RFC 9113 §8.2, §8.3, §8.5; RFC 8441). Anything ambiguous is refused:
 * what passes here may be written as HTTP/1.1 without meaning something else. A malformed list is the
 * stream's error (§8.1.1).
 */

import type { Header } from './hpack/header.ts';

/** What a well-formed list says; `error` is set for all others and nothing else counts then. */
export interface HeaderFacts {
  error: string | undefined;
  /** CONNECT without `:protocol`: the stream carries bytes, not a message. */
  connect: boolean;
  head: boolean;
  /** Of a response, else 0. */
  status: number;
  /** Value of content-length, or -1. */
  contentLength: number;
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No control character but tab, and no white space at either end. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/;
const VISIBLE = /^[\x21-\x7e\x80-\xff]+$/;
const AUTHORITY = /^[^\s@/?#\\]+$/;
const LENGTH = /^[0-9]{1,15}$/;

/** The pseudo-headers that may come, and the values of those that did. */
type Pseudo = Record<string, string | undefined>;

/** §8.2.2. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** @param extendedConnect we have announced SETTINGS_ENABLE_CONNECT_PROTOCOL. */
export function readRequest(headers: readonly Header[], extendedConnect: boolean): HeaderFacts {
  const facts = noFacts();
  const fields: Pseudo = {
    ':method': undefined,
    ':scheme': undefined,
    ':path': undefined,
    ':authority': undefined,
    ':protocol': undefined,
  };
  const count = readPseudo(headers, fields, facts);
  if (facts.error === undefined) readFields(headers, count, facts, fields[':authority']);
  facts.error ??= requestError(fields, extendedConnect);
  facts.connect = fields[':method'] === 'CONNECT' && fields[':protocol'] === undefined;
  facts.head = fields[':method'] === 'HEAD';
  return facts;
}

export function readResponse(headers: readonly Header[]): HeaderFacts {
  const facts = noFacts();
  const fields: Pseudo = { ':status': undefined };
  const count = readPseudo(headers, fields, facts);
  const status = fields[':status'] ?? '';
  if (facts.error === undefined) readFields(headers, count, facts, undefined);
  if (/^[1-9][0-9][0-9]$/.test(status)) facts.status = Number(status);
  else facts.error ??= ':status is missing or not a number of three digits';
  // §8.6: there is nothing to switch to.
  if (facts.status === 101) facts.error ??= ':status 101';
  return facts;
}

export function readTrailers(headers: readonly Header[]): HeaderFacts {
  const facts = noFacts();
  readFields(headers, 0, facts, undefined);
  return facts;
}

/** The reason why a list of ours can't be sent, or undefined: what a caller passes on must not break out. */
export function outgoingError(headers: readonly Header[]): string | undefined {
  for (const [name, value] of headers) {
    if (!NAME.test(name) && !(name.startsWith(':') && NAME.test(name.slice(1))))
      return `field name ${quoted(name)}`;
    if (!VALUE.test(value)) return `value of ${name}`;
  }
  return undefined;
}

function noFacts(): HeaderFacts {
  return { error: undefined, connect: false, head: false, status: 0, contentLength: -1 };
}

/** Reads the pseudo-headers, which come first, each at most once. @returns how many there are. */
function readPseudo(headers: readonly Header[], fields: Pseudo, facts: HeaderFacts): number {
  let count = 0;
  let seen = '';
  for (const [name, value] of headers) {
    if (name.charCodeAt(0) !== 0x3a) break;
    count += 1;
    if (!(name in fields)) facts.error ??= `pseudo-header ${quoted(name)}`;
    else if (seen.includes(name)) facts.error ??= `two ${name}`;
    else if (!VALUE.test(value)) facts.error ??= `value of ${name}`;
    else fields[name] = value;
    seen += name;
  }
  return count;
}

function readFields(
  headers: readonly Header[],
  from: number,
  facts: HeaderFacts,
  authority: string | undefined,
): void {
  let host: string | undefined;
  for (let i = from; i < headers.length; i++) {
    const [name, value] = headers[i]!;
    if (!NAME.test(name)) facts.error ??= `field name ${quoted(name)}`;
    else if (!VALUE.test(value)) facts.error ??= `value of ${name}`;
    else if (CONNECTION_SPECIFIC.has(name)) facts.error ??= `connection-specific field ${name}`;
    else if (name === 'te' && value.toLowerCase() !== 'trailers') facts.error ??= 'te other than trailers';
    else if (name === 'content-length') {
      if (facts.contentLength >= 0 || !LENGTH.test(value)) facts.error ??= 'content-length';
      facts.contentLength = Number(value);
    } else if (name === 'host') {
      if (host !== undefined) facts.error ??= 'two host fields';
      else if (authority !== undefined && authority !== value) facts.error ??= 'host differs from :authority';
      host = value;
    }
  }
}

function requestError(fields: Pseudo, extendedConnect: boolean): string | undefined {
  const { ':method': method, ':scheme': scheme, ':path': path } = fields;
  const { ':authority': authority, ':protocol': protocol } = fields;
  if (method === undefined || !TOKEN.test(method)) return ':method is missing or not a token';
  if (authority !== undefined && authority !== '' && !AUTHORITY.test(authority)) return 'value of :authority';
  if (protocol !== undefined) {
    if (!extendedConnect || method !== 'CONNECT' || !TOKEN.test(protocol)) return ':protocol';
  } else if (method === 'CONNECT') {
    if (authority === undefined || authority === '') return 'CONNECT without :authority';
    return scheme !== undefined || path !== undefined ? 'CONNECT with :scheme or :path' : undefined;
  }
  if (scheme === undefined || !SCHEME.test(scheme)) return ':scheme is missing or malformed';
  if (path === undefined || !VISIBLE.test(path)) return ':path is missing or malformed';
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS') && /^https?$/i.test(scheme))
    return ':path does not begin with a slash';
  return undefined;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
