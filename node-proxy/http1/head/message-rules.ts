/**
 * What a head means once all its fields are known: framing (RFC 9112 §6), persistence (§9.3), upgrade, host.
 * Everything that another reader could understand differently is refused here.
 */

import { sameBytes, sameText, textOf } from '../bytes.ts';
import { Http1Error, type Http1Reason } from '../error.ts';
import { checkHost } from './authority.ts';
import {
  CLOSE_OPTION,
  KEEP_ALIVE_OPTION,
  mayUpgrade,
  UPGRADE_OPTION,
  wasOffered,
} from './connection-options.ts';
import { EXPECT, HOP, UPGRADE } from './known-fields.ts';
import {
  CHUNKED,
  HAS_EXPECT,
  HAS_HOP,
  HAS_OTHER_START,
  KIND_BITS,
  KIND_MASK,
  LENGTH,
  type MessageHead,
  NO_BODY,
  type RequestHead,
  type ResponseHead,
  SLOTS,
  UNTIL_CLOSE,
} from './message-head.ts';

export function finishRequest(head: RequestHead, bytes: Buffer, base: number, end: number): void {
  head.text = textOf(bytes, base, end);
  if (head.hostStart >= 0) head.host = head.text.slice(head.hostStart, head.hostEnd);
  else if (head.minor === 1) throw refuse(head, 'missing_host', 'HTTP/1.1 without Host');
  head.target = head.text.slice(head.targetStart, head.targetEnd);
  if (bytes[base + head.targetStart] !== 0x2f) otherTarget(head, bytes, base);
  declaredFraming(head);
  // A body and an upgrade at once: readers differ in which comes first.
  connection(head, head.framing === NO_BODY || head.length === 0);
  if ((head.flags & HAS_EXPECT) !== 0) expectation(head);
}

/** @param method of the request; @param offered its `upgrade`. */
export function finishResponse(
  head: ResponseHead,
  bytes: Buffer,
  base: number,
  end: number,
  method: string,
  offered: string,
): void {
  head.text = textOf(bytes, base, end);
  const { status } = head;
  declaredFraming(head);
  const bodiless = status < 200 || status === 204;
  if (bodiless && (head.chunked || head.length > 0))
    throw refuse(head, 'unexpected_body', `status ${status} announces a body`);
  if (bodiless || status === 304 || method === 'HEAD') {
    head.framing = NO_BODY;
    head.length = -1;
  } else if (head.framing === NO_BODY) head.framing = UNTIL_CLOSE;
  connection(head, status === 101 || status === 426);
  if (head.framing === UNTIL_CLOSE) head.keepAlive = false;
  if (head.interim && !head.keepAlive)
    throw refuse(
      head,
      'bad_interim',
      'an interim response in HTTP/1.0, or with close: is a final one to follow?',
    );
  if (status !== 101) return;
  if (head.upgrade === '') throw refuse(head, 'bad_upgrade', 'status 101 does not say to which protocol');
  if (offered === '' || !wasOffered(offered, head.upgrade))
    throw refuse(head, 'unexpected_upgrade', 'status 101 to a protocol that was not asked for');
}

function declaredFraming(head: MessageHead): void {
  if (head.chunked) {
    if (head.contentLength >= 0)
      throw refuse(head, 'cl_and_te', 'Transfer-Encoding together with Content-Length');
    if (head.minor === 0) throw refuse(head, 'te_in_1_0', 'Transfer-Encoding in HTTP/1.0');
    head.framing = CHUNKED;
  } else if (head.contentLength >= 0) {
    head.framing = LENGTH;
    head.length = head.contentLength;
  }
}

function connection(head: MessageHead, mayAgree: boolean): void {
  const { options } = head;
  head.keepAlive =
    (options & CLOSE_OPTION) === 0 && (head.minor === 1 || (options & KEEP_ALIVE_OPTION) !== 0);
  if (options !== 0 && ((options & CLOSE_OPTION) !== 0 || head.minor === 0)) head.flags |= HAS_HOP;
  if ((options & UPGRADE_OPTION) !== 0 || head.upgradeOffered !== '') upgrade(head, mayAgree);
  if (head.named !== undefined) markNamed(head, head.named);
}

/** Decides whether the upgrade holds; otherwise it is left out when forwarding, as RFC 9110 §7.8 allows. */
function upgrade(head: MessageHead, mayAgree: boolean): void {
  const { upgradeOffered } = head;
  if (mayAgree && head.minor === 1 && (head.options & UPGRADE_OPTION) !== 0 && mayUpgrade(upgradeOffered)) {
    head.upgrade = upgradeOffered;
    return;
  }
  head.flags |= HAS_HOP;
  dropKind(head, UPGRADE);
}

/** HTTP/1.0 knows no 100, so that its clients do not wait for it (RFC 9110 §10.1.1). */
function expectation(head: RequestHead): void {
  if (head.minor === 1) head.expectContinue = head.header('expect')?.toLowerCase() === '100-continue';
  else {
    head.flags |= HAS_HOP;
    dropKind(head, EXPECT);
  }
}

function dropKind(head: MessageHead, kind: number): void {
  const { table } = head;
  for (let at = 1; at < head.count * SLOTS; at += SLOTS)
    if ((table[at]! & KIND_MASK) === kind) table[at] = (table[at]! & ~KIND_MASK) | HOP;
}

/** The fields that Connection names are for this hop only. */
function markNamed(head: MessageHead, names: readonly string[]): void {
  const { table, text } = head;
  for (let at = 0; at < head.count * SLOTS; at += SLOTS)
    for (const name of names)
      if (table[at + 1]! >> KIND_BITS === name.length && sameText(text, table[at]!, name))
        table[at + 1] = (table[at + 1]! & ~KIND_MASK) | HOP;
}

const SCHEME = 'http://';

/** `*`, or absolute form, which is taken apart: its authority must be what Host says (RFC 9112 §3.2.2). */
function otherTarget(head: RequestHead, bytes: Buffer, base: number): void {
  const { target } = head;
  if (target === '*') {
    if (head.method === 'OPTIONS') return;
    throw refuse(head, 'bad_target', '* is for OPTIONS only');
  }
  const start = head.targetStart + SCHEME.length;
  if (!sameBytes(bytes, base + head.targetStart, base + Math.min(start, head.targetEnd), SCHEME))
    throw refuse(head, 'bad_target', 'the request target is neither a path nor an http URI');
  const end = endOfAuthority(head.text, start, head.targetEnd);
  if (!checkHost(bytes, base + start, base + end))
    throw refuse(head, 'bad_target', 'the authority of the request target is not a host and port');
  const authority = head.text.slice(start, end);
  if (head.host === '') head.host = authority;
  else if (head.host.toLowerCase() !== authority.toLowerCase())
    throw refuse(head, 'host_mismatch', 'Host and the request target name different hosts');
  const rest = head.text.slice(end, head.targetEnd);
  if (rest.startsWith('/')) head.target = rest;
  else if (rest === '') head.target = head.method === 'OPTIONS' ? '*' : '/';
  else head.target = `/${rest}`;
  head.flags |= HAS_OTHER_START;
}

function endOfAuthority(text: string, from: number, to: number): number {
  let at = from;
  while (at < to && text[at] !== '/' && text[at] !== '?') at += 1;
  return at;
}

function refuse(head: MessageHead, reason: Http1Reason, message: string): Http1Error {
  return new Http1Error(head.side, reason, message);
}
