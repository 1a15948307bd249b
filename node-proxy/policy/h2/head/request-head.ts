/**
 * A request's header list as rules read it. http2/header-rules.ts has seen to it that the list is well-formed; here it
 * is held to what HTTP/1.1 requests are held to, so that no way around a rule leads over the protocol: one host, a
 * path that everybody reads alike, no field that looks like framing.
 */

import { checkHost, HTTP1_LIMITS } from '../../../http1/index.ts';
import type { Header } from '../../../http2/index.ts';
import { HttpRefusal, isGrpc } from '../../reply/index.ts';
import type { CarriedRequest } from '../../view.ts';

/** What is wrong with a request, in http1's words. */
export type BadRequest =
  | 'connect'
  | 'bad_target'
  | 'missing_host'
  | 'bad_host'
  | 'ambiguous_name'
  | 'line_too_long'
  | 'field_too_long'
  | 'too_many_headers';

const STATUS: Readonly<Record<BadRequest, number>> = {
  connect: 501,
  bad_target: 400,
  missing_host: 400,
  bad_host: 400,
  ambiguous_name: 400,
  line_too_long: 414,
  field_too_long: 431,
  too_many_headers: 431,
};

export function refusalOfRequest(bad: BadRequest): HttpRefusal {
  return new HttpRefusal('bad_request', `malformed HTTP/2 request: ${bad}`, undefined, STATUS[bad]);
}

export class H2RequestHead implements CarriedRequest {
  /** As received: pseudo-headers, then fields. */
  readonly headers: readonly Header[];
  method = '';
  path = '';
  authority = '';
  reserved = false;
  size = 0;
  grpc = false;
  grpcTimeout: string | undefined;
  /** Pseudo-headers at the beginning of the list. */
  pseudo = 0;
  /** `:authority` is not in the list; `host` is instead. */
  hostOnly = false;
  /** `host` is in the list. */
  hasHost = false;

  constructor(headers: readonly Header[]) {
    this.headers = headers;
  }

  /** Lower case; several fields are joined, crumbs of a cookie as RFC 9113 §8.2.3 has it. */
  header(name: string): string | undefined {
    if (name === 'host') return this.authority;
    const { headers } = this;
    let joined: string | undefined;
    for (let i = this.pseudo; i < headers.length; i++) {
      const field = headers[i] as Header;
      if (field[0] !== name) continue;
      joined = joined === undefined ? field[1] : joined + (name === 'cookie' ? '; ' : ', ') + field[1];
    }
    return joined;
  }

  /** To be called once, before anything is read. */
  read(hosts: KnownHosts): BadRequest | undefined {
    const { headers } = this;
    let bad: BadRequest | undefined;
    let host: string | undefined;
    let authority: string | undefined;
    const count = headers.length;
    for (let i = 0; i < count; i++) {
      const field = headers[i] as Header;
      const name = field[0];
      const value = field[1];
      switch (name.charCodeAt(0)) {
        case 0x3a: // :
          this.pseudo += 1;
          if (name === ':method') this.method = value;
          else if (name === ':path') this.path = value;
          else if (name === ':authority') authority = value;
          // Without it the library takes no extended CONNECT, so this is only for completeness.
          else if (name === ':protocol') bad = 'connect';
          break;
        case 0x63: // c
          if (name === 'content-type') this.grpc = isGrpc(value);
          else if (name === 'content_length') bad = 'ambiguous_name';
          break;
        case 0x67: // g
          if (name === 'grpc-timeout') this.grpcTimeout = value;
          break;
        case 0x68: // h
          if (name === 'host') host = value;
          break;
        case 0x6c: // l
        case 0x78: // x
          if (isReserved(name)) this.reserved = true;
          break;
        case 0x74: // t
          if (name.length === 17 && name.replaceAll('_', '-') === 'transfer-encoding') bad = 'ambiguous_name';
          break;
      }
      this.size += name.length + value.length;
      if (name.length + value.length > HTTP1_LIMITS.fieldBytes)
        bad = name === ':path' ? 'line_too_long' : 'field_too_long';
    }
    if (count - this.pseudo > HTTP1_LIMITS.fields) bad = 'too_many_headers';
    this.hasHost = host !== undefined;
    this.hostOnly = authority === undefined;
    this.authority = authority ?? host ?? '';
    if (this.method === 'CONNECT') return 'connect';
    return bad ?? this.#target() ?? hosts.check(this.authority);
  }

  /** As http1/head/request-line.ts reads it. */
  #target(): BadRequest | undefined {
    const { path, method } = this;
    return ORIGIN_FORM.test(path) || (path === '*' && method === 'OPTIONS') ? undefined : 'bad_target';
  }
}

/** Clients name the same host again and again. One for each connection. */
export class KnownHosts {
  #last = '';

  check(host: string): BadRequest | undefined {
    if (host === this.#last && host !== '') return undefined;
    if (host === '') return 'missing_host';
    const bytes = Buffer.from(host, 'latin1');
    if (!checkHost(bytes, 0, bytes.length)) return 'bad_host';
    this.#last = host;
    return undefined;
  }
}

/**
 * Only the mesh may set it: `l5d-*`, `x-forwarded-client-cert`, also with the `_` that some applications read as `-`.
 * @param name lower case.
 */
export function isReserved(name: string): boolean {
  if (name.startsWith('l5d')) return name.charCodeAt(3) === 0x2d || name.charCodeAt(3) === 0x5f;
  return name.length === CERTIFICATE.length && name.replaceAll('_', '-') === CERTIFICATE;
}

const CERTIFICATE = 'x-forwarded-client-cert';
/** Printable ASCII without `#`; no backslash before the query. */
const ORIGIN_FORM = /^\/[!"$->@-[\]-~]*(?:\?[!"$-~]*)?$/;
