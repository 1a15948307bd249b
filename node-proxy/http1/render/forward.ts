/**
 * Heads as they go to the next hop (RFC 9110 §7.6): HTTP/1.1, without what was for this hop only, with what the
 * routes change. Fields that stay are cut out of the received text in as few pieces as possible; where nothing
 * is left out, that is one. Nothing is escaped here: the text of a head that was read holds no control
 * character, and what is added comes from configuration that was checked when it was read.
 */

import { InvariantError } from '#base/errors.ts';
import { sameText } from '../bytes.ts';
import { FIRST_DROPPED, RESERVED, TRANSFER_ENCODING } from '../head/known-fields.ts';
import {
  HAS_CONNECTION,
  HAS_HOP,
  HAS_OTHER_START,
  HAS_RESERVED,
  KIND_BITS,
  KIND_MASK,
  type MessageHead,
  type RequestHead,
  type ResponseHead,
  SLOTS,
} from '../head/message-head.ts';

/** Changes to a head, prepared once per rule. */
export interface HeaderEdits {
  /** Lower-case names of fields that are left out. Never framing fields. Not changed after the first use. */
  readonly drop: ReadonlySet<string>;
  /** Fields that are added, as lines, each with its CRLF. Latin-1 only: a wider character would lose bits. */
  readonly lines: string;
}

const UPGRADE_LINE = 'Connection: Upgrade\r\n';
const NONE: readonly string[] = [];

/** Names to leave out as a list, by the set: sets live as long as their rule. */
const LISTS = new WeakMap<ReadonlySet<string>, readonly string[]>();

/** What a method and target from elsewhere must look like. */
const REQUEST_WORDS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+$/;

/**
 * True when the bytes as received are what would be forwarded if nothing is to be changed. Whether reserved
 * fields may stay (`HAS_RESERVED`) is for the caller to say.
 */
export function canPassAsIs(head: MessageHead): boolean {
  return (head.flags & (HAS_HOP | HAS_OTHER_START)) === 0;
}

/**
 * @param method,target of the head, or rewritten by a rule. @param dropReserved leaves out fields that only the
 * mesh may set. @param extra field lines to add, each with its CRLF.
 * @returns the head to send, one character per byte.
 */
export function forwardRequest(
  head: RequestHead,
  method: string,
  target: string,
  edits: HeaderEdits | undefined,
  dropReserved: boolean,
  extra: string,
): string {
  const sameLine = method === head.method && target === head.target && (head.flags & HAS_OTHER_START) === 0;
  if (!sameLine && !REQUEST_WORDS.test(`${method} ${target}`))
    throw new InvariantError('a rewritten request line is not one');
  const first = sameLine ? '' : `${method} ${target} HTTP/1.1\r\n`;
  // HTTP/1.0 or absolute form may come without the field that HTTP/1.1 asks for.
  const host = head.hostStart < 0 && head.host !== '' ? `Host: ${head.host}\r\n` : '';
  return forward(head, sameLine, first, edits, dropReserved, false, host + extra);
}

/**
 * @param extra field lines to add, each with its CRLF. @param unchunked leaves Transfer-Encoding out, for a
 * client of HTTP/1.0 that gets the payload until the connection closes.
 */
export function forwardResponse(
  head: ResponseHead,
  edits: HeaderEdits | undefined,
  extra: string,
  unchunked = false,
): string {
  const sameLine = (head.flags & HAS_OTHER_START) === 0;
  const first = sameLine ? '' : `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
  return forward(head, sameLine, first, edits, false, unchunked, extra);
}

function forward(
  head: MessageHead,
  sameLine: boolean,
  first: string,
  edits: HeaderEdits | undefined,
  dropReserved: boolean,
  unchunked: boolean,
  extra: string,
): string {
  const { text, flags } = head;
  const from = sameLine ? 0 : head.fieldsStart;
  const added = edits === undefined ? extra : edits.lines + extra;
  const names = edits === undefined || edits.drop.size === 0 ? NONE : listOf(edits.drop);
  const drops = (flags & (HAS_HOP | HAS_CONNECTION)) !== 0 || (dropReserved && (flags & HAS_RESERVED) !== 0);
  if (!drops && !unchunked && names.length === 0) {
    if (added === '') return sameLine ? text : first + text.slice(from);
    return `${first + text.slice(from, text.length - 2) + added}\r\n`;
  }
  const kept =
    first + keptFields(head, from, names, dropReserved ? RESERVED : -1, unchunked ? TRANSFER_ENCODING : -1);
  return head.upgrade === '' ? `${kept + added}\r\n` : `${kept + added + UPGRADE_LINE}\r\n`;
}

/** The text from `start` on without the fields that are left out, and without the final empty line. */
function keptFields(
  head: MessageHead,
  start: number,
  names: readonly string[],
  dropped: number,
  alsoDropped: number,
): string {
  const { table, text } = head;
  const stop = head.count * SLOTS;
  let kept = '';
  let from = start;
  for (let at = 0; at < stop; at += SLOTS) {
    const kind = table[at + 1]! & KIND_MASK;
    const goes = kind >= FIRST_DROPPED || kind === dropped || kind === alsoDropped;
    if (!goes && (names.length === 0 || !isNamed(text, table, at, names))) continue;
    const line = table[at]!;
    if (line > from) kept += text.slice(from, line);
    from = at + SLOTS < stop ? table[at + SLOTS]! : text.length - 2;
  }
  return kept + text.slice(from, text.length - 2);
}

function isNamed(text: string, table: Int32Array, at: number, names: readonly string[]): boolean {
  const length = table[at + 1]! >> KIND_BITS;
  for (const name of names) if (name.length === length && sameText(text, table[at]!, name)) return true;
  return false;
}

function listOf(drop: ReadonlySet<string>): readonly string[] {
  let list = LISTS.get(drop);
  if (list === undefined) LISTS.set(drop, (list = [...drop]));
  return list;
}
