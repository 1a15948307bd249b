/** Connection and Upgrade (RFC 9110 §7.6.1, §7.8): what they say, and what they may not say. */

import { COMMA, HT, SP, sameBytes, TOKEN, textOf } from '../bytes.ts';
import { Http1Error } from '../error.ts';
import { CONNECTION_OPTIONS } from '../limits.ts';
import { mayBeConnectionOption } from './known-fields.ts';
import type { MessageHead } from './message-head.ts';

export const CLOSE_OPTION = 1;
export const KEEP_ALIVE_OPTION = 2;
export const UPGRADE_OPTION = 4;
/** Any other. */
export const OTHER_OPTION = 8;

/** Adds the options of one Connection field. */
export function readConnection(head: MessageHead, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  while (at < to) {
    const start = at;
    while (at < to && TOKEN[bytes[at]!] === 1) at += 1;
    if (at > start) addOption(head, bytes, start, at);
    while (at < to && (bytes[at] === SP || bytes[at] === HT)) at += 1;
    if (at === to) return;
    if (bytes[at] !== COMMA)
      throw new Http1Error(head.side, 'bad_connection', 'Connection is not a list of tokens');
    at += 1;
    while (at < to && (bytes[at] === SP || bytes[at] === HT)) at += 1;
  }
}

function addOption(head: MessageHead, bytes: Uint8Array, from: number, to: number): void {
  if (sameBytes(bytes, from, to, 'keep-alive')) head.options |= KEEP_ALIVE_OPTION;
  else if (sameBytes(bytes, from, to, 'close')) head.options |= CLOSE_OPTION;
  else if (sameBytes(bytes, from, to, 'upgrade')) head.options |= UPGRADE_OPTION;
  else {
    head.options |= OTHER_OPTION;
    nameField(head, textOf(bytes, from, to).toLowerCase());
  }
}

function nameField(head: MessageHead, name: string): void {
  // These are never forwarded anyway, or (TE: trailers) hold for the next hop as well.
  if (name === 'te' || name === 'proxy-connection' || name === 'http2-settings') return;
  if (!mayBeConnectionOption(name))
    throw new Http1Error(head.side, 'forbidden_connection_option', `Connection names ${name.slice(0, 64)}`);
  head.named ??= [];
  if (head.named.length === CONNECTION_OPTIONS)
    throw new Http1Error(head.side, 'bad_connection', 'Connection has too many options');
  head.named.push(name);
}

/** Adds one Upgrade field: protocols with an optional version. */
export function readUpgrade(head: MessageHead, bytes: Uint8Array, from: number, to: number): void {
  const value = textOf(bytes, from, to).toLowerCase();
  if (!PROTOCOLS.test(value))
    throw new Http1Error(head.side, 'bad_upgrade', 'Upgrade is not a list of protocols');
  head.upgradeOffered = head.upgradeOffered === '' ? value : `${head.upgradeOffered}, ${value}`;
}

const PROTOCOLS =
  /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:\/[!#$%&'*+\-.^_`|~0-9a-z]+)?(?:[\t ]*,[\t ]*[!#$%&'*+\-.^_`|~0-9a-z]+(?:\/[!#$%&'*+\-.^_`|~0-9a-z]+)?)*$/;

/**
 * Whether an upgrade may be passed on. Not another HTTP or TLS: requests inside it would be seen by no policy
 * (known as h2c smuggling). RFC 9110 §7.8 allows to ignore Upgrade.
 */
export function mayUpgrade(protocols: string): boolean {
  return protocols !== '' && !/(?:^|[\s,])(?:h2|h3|http|tls|ssl)/.test(protocols);
}

/** @returns whether a protocol of the answer was offered. @param offered,taken lower case lists. */
export function wasOffered(offered: string, taken: string): boolean {
  const protocols = offered.split(/[\s,]+/);
  return taken.split(/[\s,]+/).every(protocol => protocols.includes(protocol));
}
