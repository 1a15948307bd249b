/** Redirects (Gateway API HTTPRequestRedirectFilter): where the client is sent instead. */

import type { RouteFilter } from '#api';
import { FilterError } from './header-edits.ts';
import { CompiledPathChange } from './path-change.ts';

type RedirectFilter = Extract<RouteFilter, { kind: 'redirect' }>;

export class CompiledRedirect {
  readonly status: number;
  readonly scheme: string | undefined;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly path: CompiledPathChange | undefined;

  /** @throws FilterError */
  constructor(filter: RedirectFilter) {
    const { scheme, hostname, port, status, path } = filter;
    if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
      throw new FilterError(`${JSON.stringify(scheme)} is not a scheme to redirect to`);
    }
    if (hostname !== undefined) checkedHost(hostname);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      throw new FilterError(`${port} is not a port`);
    }
    if (!STATUSES.includes(status)) throw new FilterError(`${status} is not the status of a redirect`);
    this.status = status;
    this.scheme = scheme;
    this.hostname = hostname;
    this.port = port;
    this.path = path === undefined ? undefined : new CompiledPathChange(path);
  }
}

/** What the client asked for. */
export interface RedirectedRequest {
  scheme: 'http' | 'https';
  /** As sent; its port stands for the port of the Gateway API's listener, which a Service has not. */
  authority: string;
  /** With its query, as sent. */
  path: string;
  /** What the match covers of the path. */
  prefix: string;
}

/**
 * The value of `location`. The port is the redirect's own; else, with a scheme of its own, that scheme's
 * well-known one; else the one that the client named. A scheme's well-known port is left out.
 * @returns only printable ASCII, whatever the request holds; a path alone if there is no host to name
 */
export function redirectLocation(redirect: CompiledRedirect, request: RedirectedRequest): string {
  const scheme = redirect.scheme ?? request.scheme;
  const sent = AUTHORITY.exec(request.authority);
  const host = redirect.hostname ?? sent?.[1];
  const own = request.path.startsWith('/') ? request.path : '/';
  const path = safe(redirect.path?.apply(own, request.prefix) ?? own);
  // Two slashes at the start would name another host.
  if (host === undefined) return path.replace(/^\/[/\\]+/, '/');
  const port =
    redirect.port ?? (redirect.scheme === undefined && sent?.[2] ? Number(sent[2]) : WELL_KNOWN[scheme]);
  return `${scheme}://${host}${port === WELL_KNOWN[scheme] ? '' : `:${port}`}${path}`;
}

/**
 * Takes a host with or without port as routes may set it.
 * @throws FilterError
 */
export function checkedHost(host: string): string {
  if (host.length > 259 || !AUTHORITY.test(host))
    throw new FilterError(`${JSON.stringify(host)} is not a host`);
  return host;
}

function safe(path: string): string {
  return UNSAFE.test(path)
    ? path.replace(UNSAFE_EACH, char => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    : path;
}

const WELL_KNOWN: Record<string, number> = { http: 80, https: 443 };
const STATUSES: readonly number[] = [301, 302, 303, 307, 308];
/** A name, IPv4 or bracketed IPv6 address, and a port. */
const AUTHORITY = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$/;
/** Paths are latin1, one character a byte. */
const UNSAFE = /[^!-~]|["<>\\^`{|}]/;
const UNSAFE_EACH = new RegExp(UNSAFE, 'g');
