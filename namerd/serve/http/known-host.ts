/**
 * By which names a server may be spoken to. A page of a foreign site can let its own name lead to our address
 * (DNS rebinding) and is then of the same origin; the Host header still says the foreign name. So only what no
 * foreign site can own is taken: addresses, `localhost`, and the names that are configured. A request without
 * Host (HTTP/1.0) comes from no browser.
 */

import { isIPv4, isIPv6 } from 'node:net';
import { HttpError } from './exchange.ts';

const HOST = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{0,5})?$/;

/** @param names lower-case @throws HttpError 421 */
export function refuseUnknownHost(host: string | undefined, names: ReadonlySet<string>): void {
  if (host === undefined) return;
  const [, bracketed, plain = ''] = HOST.exec(host) ?? [];
  const name = plain.toLowerCase();
  const known =
    bracketed === undefined ? isIPv4(name) || name === 'localhost' || names.has(name) : isIPv6(bracketed);
  if (known) return;
  throw new HttpError(
    421,
    `this server does not go by the name ${JSON.stringify(host.slice(0, 260))}: speak to its IP address, or list the name in 'hosts' of the interface in namerd's configuration`,
  );
}
