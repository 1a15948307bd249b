/** Dtabs as request and response bodies, in the three types that Linkerd's namerd speaks. */

import { type Dentry, Dtab, NameSyntaxError, parseDtab, parseNameTree, parsePrefix, showTree } from '#names';
import { HttpError } from '../http/exchange.ts';
import { mediaType, negotiate } from '../http/media-type.ts';

export const DTAB_TYPES = ['application/json', 'application/dtab', 'text/plain'] as const;
export type DtabType = (typeof DTAB_TYPES)[number];

/** More is a mistake, and every look-up walks the whole table. */
const MAX_DENTRIES = 10_000;

/** @throws HttpError 406 */
export function wantedType(accept: string | undefined): DtabType {
  const type = negotiate(accept, DTAB_TYPES);
  if (type === undefined) throw new HttpError(406, `only ${DTAB_TYPES.join(', ')} can be given`);
  return type;
}

/** One line, without the newline. */
export function showDtab(dtab: Dtab, type: DtabType): string {
  return type === 'application/json' ? JSON.stringify(dtabJson(dtab)) : dtab.show;
}

/**
 * The line of a stream for a dtab that does not exist any more: `null` in JSON, in text a comment, which reads
 * as the empty dtab.
 */
export function showDeleted(type: DtabType): string {
  return type === 'application/json' ? 'null' : '# deleted';
}

export function dtabJson(dtab: Dtab): { prefix: string; dst: string }[] {
  return dtab.dentries.map(({ prefix, dst }) => ({ prefix: prefix.show, dst: showTree(dst) }));
}

export interface DtabText {
  dtab: Dtab;
  /** As it was written, comments included; for JSON one dentry per line. */
  text: string;
}

/** @throws HttpError 400 (no or unknown type, bad JSON), NameSyntaxError */
export function readDtabBody(body: string, contentType: string | undefined): DtabText {
  const type = mediaType(contentType) as DtabType;
  if (!DTAB_TYPES.includes(type))
    throw new HttpError(400, `the Content-Type must be one of ${DTAB_TYPES.join(', ')}`);
  const read = type === 'application/json' ? readJson(body) : { dtab: parseDtab(body), text: body };
  if (read.dtab.size > MAX_DENTRIES)
    throw new HttpError(400, `${read.dtab.size} dentries: at most ${MAX_DENTRIES}`);
  return read;
}

function readJson(body: string): DtabText {
  const value = parseJson(body);
  if (!Array.isArray(value))
    throw new HttpError(400, 'the body must be a JSON array of {"prefix": …, "dst": …}');
  const dtab = Dtab.of(value.map(readDentry));
  return {
    dtab,
    text: dtab.dentries.map(({ prefix, dst }) => `${prefix.show} => ${showTree(dst)} ;\n`).join(''),
  };
}

export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${(error as Error).message}`);
  }
}

function readDentry(entry: unknown, i: number): Dentry {
  const { prefix, dst, ...rest } = (entry ?? {}) as Record<string, unknown>;
  if (typeof prefix !== 'string' || typeof dst !== 'string' || Object.keys(rest).length > 0)
    throw new HttpError(400, `dentry ${i}: exactly the fields "prefix" and "dst", both texts, are expected`);
  try {
    return { prefix: parsePrefix(prefix), dst: parseNameTree(dst) };
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    throw new HttpError(400, `dentry ${i}: ${error.message}`);
  }
}
