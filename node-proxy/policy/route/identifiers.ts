/**
 * Linkerd's HTTP identifiers: which name a request asks for. The first that applies decides.
 *
 * Each value that a caller sends becomes exactly one element of a name, escaped where the grammar asks for it, so
 * that no value reaches another part of the namespace. `.` and `..` are no values, since a namer could take
 * elements for files. Only a name in a header (`headerPath`) brings elements of its own, and only below the prefix.
 * Where there is no prefix, nothing that was sent may open a system space (`/#`, `/$`, `/%`): it would name any
 * address.
 *
 * As in Linkerd, values are taken as sent, with their case and port (`io.l5d.header.token`), also the authority
 * under `/host`; only `methodAndHost` turns to lower case. Segments of paths are not decoded.
 */

import type { Identifier } from '#api';
import { parsePath, showLabel } from '#names';
import type { RequestView } from '../view.ts';

/** Stands for the service that was called and its routes; no path, as those start with a slash. */
export const OWN_NAME = 'service';

/** Longer values are no names, in characters; also of all that one identifier takes. */
const MAX_VALUE = 1_000;

/** Where an identifier finds that what was sent can't be a name: no other is asked then. */
const NO_NAME = '';

export class Identifiers {
  readonly #identifiers: readonly NamedBy[];
  /** Whether some identifier takes what it names off the path: then ask {@link pathAfter}. */
  readonly consumes: boolean;

  /** Identifiers whose prefix can't be read never apply; namerd lets none through. */
  constructor(list: readonly Identifier[]) {
    this.#identifiers = list.map(namedBy).filter(each => each !== undefined);
    this.consumes = this.#identifiers.some(each => each.consumed > 0);
  }

  /** Nothing to ask: requests are for the service that was called. */
  get isEmpty(): boolean {
    return this.#identifiers.length === 0;
  }

  /** @returns the path text to bind, or {@link OWN_NAME}; undefined: the request names nothing, 400. */
  identify(request: RequestView): string | undefined {
    for (const each of this.#identifiers) {
      const name = each.name(request);
      if (name !== undefined) return name === NO_NAME ? undefined : name;
    }
    return undefined;
  }

  /** @returns the path to send on, with the query, if the identifier that applies takes something off it. */
  pathAfter(request: RequestView): string | undefined {
    for (const each of this.#identifiers) {
      if (each.name(request) === undefined) continue;
      return each.consumed === 0 ? undefined : withoutSegments(request.path, each.consumed);
    }
    return undefined;
  }
}

interface NamedBy {
  /** Segments of the path that are not sent on. */
  readonly consumed: number;
  /** @returns undefined if the identifier does not apply. */
  name(request: RequestView): string | undefined;
}

function namedBy(identifier: Identifier): NamedBy | undefined {
  if (identifier.kind === 'service') return { consumed: 0, name: () => OWN_NAME };
  if (identifier.kind === 'static') {
    const path = prefixOf(identifier.path);
    return path === undefined ? undefined : { consumed: 0, name: () => path || '/' };
  }
  const prefix = prefixOf(identifier.prefix);
  if (prefix === undefined) return undefined;
  switch (identifier.kind) {
    case 'header': {
      const { header } = identifier;
      return { consumed: 0, name: request => under(prefix, [fieldOf(request, header)]) };
    }
    case 'headerPath': {
      const { header } = identifier;
      return { consumed: 0, name: request => sentPath(prefix, fieldOf(request, header)) };
    }
    case 'path': {
      const { segments, consume } = identifier;
      return {
        consumed: consume ? segments : 0,
        name: request => {
          const sent = segmentsOf(request.path, segments);
          return sent.length < segments ? undefined : under(prefix, sent);
        },
      };
    }
    case 'methodAndHost': {
      const { uri } = identifier;
      return {
        consumed: 0,
        name: ({ method, authority, path }) => {
          const rest = uri ? segmentsOf(path, MAX_VALUE) : [];
          // A slash at the end is nothing to name.
          if (rest.at(-1) === '') rest.pop();
          return under(prefix, ['1.1', method, authority.toLowerCase(), ...rest]);
        },
      };
    }
    default:
      return undefined;
  }
}

/** @returns undefined if one of the values can't be an element. */
function under(prefix: string, values: readonly (string | undefined)[]): string | undefined {
  let name = prefix;
  let size = 0;
  for (const value of values) {
    if (value === undefined || !isElement(value) || (size += value.length) > MAX_VALUE) return undefined;
    // The texts of a request are bytes, one a character, as elements are.
    name += `/${showLabel(value)}`;
  }
  return prefix === '' && opensSystemSpace(values[0]) ? undefined : name;
}

function sentPath(prefix: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (text.length > MAX_VALUE) return NO_NAME;
  let elems: readonly string[];
  try {
    ({ elems } = parsePath(text));
  } catch {
    // The caller said what it wants, and it can't be read: 400.
    return NO_NAME;
  }
  return elems.length === 0 ? NO_NAME : (under(prefix, elems) ?? NO_NAME);
}

/** `host` is the authority, in whatever field the protocol carries it. */
function fieldOf(request: RequestView, name: string): string | undefined {
  return name === 'host' ? request.authority : request.header(name);
}

function isElement(value: string): boolean {
  return value !== '' && value !== '.' && value !== '..';
}

function opensSystemSpace(value: string | undefined): boolean {
  return value === '#' || value === '$' || value === '%';
}

/** The first segments of a path, without the query: `/a/b/` has three, the last of them empty. */
function segmentsOf(path: string, count: number): string[] {
  const query = path.indexOf('?');
  const text = query < 0 ? path : path.slice(0, query);
  return text.startsWith('/') ? text.slice(1).split('/', count) : [];
}

function withoutSegments(path: string, count: number): string {
  const query = path.indexOf('?');
  const end = query < 0 ? path.length : query;
  let at = 0;
  for (let i = 0; i < count; i++) {
    at = path.indexOf('/', at + 1);
    if (at < 0 || at >= end) return `/${path.slice(end)}`;
  }
  return path.slice(at);
}

/** @returns without a trailing slash, so '' for `/`; undefined if it can't be read. */
function prefixOf(text: string): string | undefined {
  try {
    const path = parsePath(text);
    return path.isEmpty ? '' : path.show;
  } catch {
    return undefined;
  }
}
