/**
 * What is known of a head once it is read: one object per parser, used again for every message. Fields are
 * four numbers each in one table, relative to the head's first byte; a text is made of a field only when
 * somebody asks for it. Valid until the parser's `next()`.
 */

import { sameText } from '../bytes.ts';
import type { MessageSide } from '../error.ts';

/** How the end of the body is known (RFC 9112 §6.3). */
export type Framing = 0 | 1 | 2 | 3;
export const NO_BODY = 0;
export const LENGTH = 1;
export const CHUNKED = 2;
export const UNTIL_CLOSE = 3;

/** Something besides a harmless Connection field must be left out when forwarding. */
export const HAS_HOP = 1;
/** A field that only the mesh may set: `l5d-*`, `x-forwarded-client-cert`. */
export const HAS_RESERVED = 2;
/** An Expect field. */
export const HAS_EXPECT = 4;
/** A Connection field that says nothing but what holds on the next hop as well: keep-alive, or the upgrade. */
export const HAS_CONNECTION = 8;
/** The start line is not what is forwarded: version 1.0, absolute form, an empty line before it. */
export const HAS_OTHER_START = 16;

/** Numbers per field: start of the name, its length and kind, start and end of the value. */
export const SLOTS = 4;
/** Bits of a field's second number that are its kind. */
export const KIND_BITS = 4;
export const KIND_MASK = 15;

/** Fields that have room before the table grows. */
const FIRST_FIELDS = 16;

export class MessageHead {
  readonly side: MessageSide;
  /** The whole head as received, one character per byte, with the final empty line. */
  text = '';
  /** Of the version: 0 or 1. */
  minor = 1;
  /** Fields. */
  count = 0;
  framing: Framing = NO_BODY;
  /** Bytes of the body when framing is LENGTH, else -1. */
  length = -1;
  /** What the message says about persistence; false also for a body that ends with the connection. */
  keepAlive = true;
  /** Lower-cased Upgrade field that is in effect (named by Connection), else empty. */
  upgrade = '';
  /** HAS_… bits. */
  flags = 0;
  /** Where the first field line begins. For this folder only, as all that follows. */
  fieldsStart = 0;
  table: Int32Array = new Int32Array(FIRST_FIELDS * SLOTS);
  /** Start of the first line that is not yet read. */
  line = 0;
  /** While reading: value of Content-Length, or -1. */
  contentLength = -1;
  chunked = false;
  /** Where the value of Host is; -1: there is none. */
  hostStart = -1;
  hostEnd = -1;
  /** CLOSE_OPTION… bits. */
  options = 0;
  /** Fields named by Connection that are not known ones; undefined for almost all messages. */
  named: string[] | undefined;
  /** While reading: the Upgrade fields, lower-cased. */
  upgradeOffered = '';

  constructor(side: MessageSide) {
    this.side = side;
  }

  has(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }

  /**
   * @param name lower case.
   * @returns the value without surrounding white space; several are joined by `, `; undefined if absent.
   */
  header(name: string): string | undefined {
    const { table, text } = this;
    const length = name.length;
    const stop = this.count * SLOTS;
    let found: string | undefined;
    for (let at = 0; at < stop; at += SLOTS) {
      if (table[at + 1]! >> KIND_BITS !== length || !sameText(text, table[at]!, name)) continue;
      const value = text.slice(table[at + 2]!, table[at + 3]!);
      found = found === undefined ? value : `${found}, ${value}`;
    }
    return found;
  }

  /** Name of a field as sent. @param index below `count`. */
  nameAt(index: number): string {
    const at = index * SLOTS;
    const start = this.table[at]!;
    return this.text.slice(start, start + (this.table[at + 1]! >> KIND_BITS));
  }

  /** Value of a field. @param index below `count`. */
  valueAt(index: number): string {
    const at = index * SLOTS;
    return this.text.slice(this.table[at + 2]!, this.table[at + 3]!);
  }

  /** @returns the table, which has room for one field more. */
  grown(): Int32Array {
    const table = new Int32Array(this.table.length * 2);
    table.set(this.table);
    this.table = table;
    return table;
  }

  clear(): void {
    this.text = '';
    this.count = 0;
    this.framing = NO_BODY;
    this.length = -1;
    this.keepAlive = true;
    this.upgrade = '';
    this.flags = 0;
    this.line = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.hostStart = -1;
    this.options = 0;
    if (this.named !== undefined) this.named = undefined;
    if (this.upgradeOffered !== '') this.upgradeOffered = '';
  }
}

export class RequestHead extends MessageHead {
  /** A token, as sent. */
  method = '';
  /** Origin form, or `*` for OPTIONS; what absolute form says is taken apart. */
  target = '';
  /**
   * As sent. Empty only for HTTP/1.0 without Host: whoever forwards sets it to the address that was meant
   * (RFC 9110 §7.1), as the forwarded message must have one.
   */
  host = '';
  /** The client waits for 100 before it sends the body (RFC 9110 §10.1.1). */
  expectContinue = false;
  /** Where method and target end in the text. */
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;

  constructor() {
    super('request');
  }

  /** The same as `target`, as routing calls it. */
  get path(): string {
    return this.target;
  }

  /** The same as `host`, as routing calls it. */
  get authority(): string {
    return this.host;
  }

  override clear(): void {
    super.clear();
    this.target = '';
    this.host = '';
    this.expectContinue = false;
  }
}

export class ResponseHead extends MessageHead {
  status = 0;
  /** Where the reason begins in the text, which ends before the CRLF. */
  reasonStart = 0;

  constructor() {
    super('response');
  }

  get reason(): string {
    return this.text.slice(this.reasonStart, this.fieldsStart - 2);
  }

  /** More heads follow for the same request (RFC 9110 §15.2). */
  get interim(): boolean {
    return this.status < 200 && this.status !== 101;
  }
}
