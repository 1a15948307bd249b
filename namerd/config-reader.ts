/** What the sections of namerd's configuration have in common: files, addresses, prefixes. */

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigNode, Fields } from '#base/config.ts';
import { messageOf } from '#base/errors.ts';
import { canonicalIp } from '#base/net.ts';
import { NameSyntaxError, Path, parsePath } from '#names';
import { dnsSubdomainProblem } from './resources/index.ts';

const MAX_PORT = 65_535;
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_HOSTS = 100;

export interface ListenAddress {
  /** Canonical. */
  ip: string;
  /** 0 lets the system choose. */
  port: number;
}

/** `ip` and `port`; loopback by default. */
export function readListen(fields: Fields, port: number): ListenAddress {
  return {
    ip: readIp(fields.get('ip')) ?? '127.0.0.1',
    port: fields.get('port')?.integer(0, MAX_PORT) ?? port,
  };
}

/** `hosts`: names by which an HTTP interface is spoken to, beside addresses and `localhost`. */
export function readHosts(fields: Fields): string[] {
  const node = fields.get('hosts');
  const items = node?.items() ?? [];
  if (items.length > MAX_HOSTS) node?.problem(`${items.length} hosts: at most ${MAX_HOSTS}`);
  return items.slice(0, MAX_HOSTS).flatMap(item => {
    const name = item.string()?.toLowerCase();
    const problem = name === undefined ? undefined : dnsSubdomainProblem(name);
    if (problem !== undefined) item.problem(`${problem}; no scheme, no port`);
    return name === undefined ? [] : [name];
  });
}

function readIp(node: ConfigNode | undefined): string | undefined {
  const text = node?.string();
  if (text === undefined) return undefined;
  const ip = canonicalIp(text);
  if (ip === undefined) node?.problem(`'${text}' is no IP address`);
  return ip;
}

/** A path of the file system, relative ones from the configuration's own directory. */
export class Files {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  path(node: ConfigNode | undefined): string | undefined {
    const text = node?.string();
    if (text === '') node?.problem('an empty path');
    return text === undefined || text === '' ? undefined : resolve(this.#base, text);
  }

  /** A directory that must be there. */
  directory(node: ConfigNode | undefined): string | undefined {
    const path = this.path(node);
    if (path === undefined) return undefined;
    try {
      if (!statSync(path).isDirectory()) node?.problem(`${path} is no directory`);
    } catch (error) {
      node?.problem(`the directory cannot be used: ${messageOf(error)}`);
    }
    return path;
  }

  /** The text of a file that must be there. */
  text(node: ConfigNode | undefined): string | undefined {
    const path = this.path(node);
    if (path === undefined) return undefined;
    try {
      if (statSync(path).size <= MAX_FILE_BYTES) return readFileSync(path, 'utf8');
      node?.problem(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
    } catch (error) {
      node?.problem(`the file cannot be read: ${messageOf(error)}`);
    }
    return undefined;
  }
}

/** A namer's `prefix`: a path of the language, or its elements without the leading slash, as Linkerd takes both. */
export function readPrefix(node: ConfigNode | undefined, fallback: string): Path {
  const text = node?.string();
  if (text === undefined) return parsePath(fallback);
  try {
    const path = parsePath(text.startsWith('/') ? text : `/${text}`);
    if (path.isEmpty) node?.problem('an empty prefix would take every name');
    return path;
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    node?.problem(error.message, error.offset - (text.startsWith('/') ? 0 : 1));
    return Path.empty;
  }
}
