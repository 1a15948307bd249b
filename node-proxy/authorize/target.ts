/**
 * What is asked for: compiles the `to` of a rule.
 *
 * What a rule refuses it refuses in every spelling that some server could take for it; what it allows it allows
 * in the spelling that is written. So each field is compiled `wide` or `narrow`: wide where a match leads to a
 * refusal (`paths` of a DENY, `notPaths` of an ALLOW), narrow where it leads to an access. AUDIT is wide: it
 * is there to see attempts. Spellings of methods differ by case (WSGI servers and PHP frameworks raise it), of
 * header values by case and by repetition (servers take the first, the last, or all), of paths see path-patterns.ts.
 */

import type { HeaderCondition, PolicyAction, TargetMatch } from '#api';
import type { Caller, RequestFacts } from './caller.ts';
import { type Breadth, PathPatterns, type PathReadings } from './path-patterns.ts';
import { TextPatterns } from './patterns.ts';

const HTTP_FIELDS = ['methods', 'notMethods', 'paths', 'notPaths', 'hosts', 'notHosts', 'headers'] as const;

export function hasHttpFields(match: TargetMatch): boolean {
  return HTTP_FIELDS.some(field => match[field] !== undefined);
}

export function asksPath({ paths, notPaths }: TargetMatch): boolean {
  return paths !== undefined || notPaths !== undefined;
}

/** Names of the fields that it asks for, lower case. */
export function fieldsAsked({ headers }: TargetMatch): string[] {
  return headers?.map(({ name }) => lower(name)) ?? [];
}

export class Target {
  readonly #ports: readonly number[] | undefined;
  readonly #notPorts: readonly number[] | undefined;
  readonly #http: boolean;
  /** Of bytes that are not HTTP nobody can tell what they ask for: refusals hold, permissions don't. */
  readonly #withoutRequest: boolean;
  readonly #methods: Methods | undefined;
  readonly #notMethods: Methods | undefined;
  readonly #paths: PathPatterns | undefined;
  readonly #notPaths: PathPatterns | undefined;
  readonly #hosts: TextPatterns | undefined;
  readonly #notHosts: TextPatterns | undefined;
  readonly #headers: readonly Header[] | undefined;

  constructor(match: TargetMatch, action: PolicyAction) {
    const breadth = action === 'ALLOW' ? 'narrow' : 'wide';
    const opposite = oppositeOf(breadth);
    this.#ports = match.ports;
    this.#notPorts = match.notPorts;
    this.#http = hasHttpFields(match);
    this.#withoutRequest = action === 'DENY';
    this.#methods = match.methods && new Methods(match.methods, breadth);
    this.#notMethods = match.notMethods && new Methods(match.notMethods, opposite);
    this.#paths = match.paths && new PathPatterns(match.paths, breadth);
    this.#notPaths = match.notPaths && new PathPatterns(match.notPaths, opposite);
    this.#hosts = TextPatterns.read(match.hosts?.map(lower));
    this.#notHosts = TextPatterns.read(match.notHosts?.map(lower));
    this.#headers = match.headers?.map(condition => new Header(condition, breadth));
  }

  /** @param path of the request, if there is one and some rule asks for it. */
  fits({ port, request }: Caller, path: PathReadings | undefined): boolean {
    if (this.#ports !== undefined && !this.#ports.includes(port)) return false;
    if (this.#notPorts?.includes(port)) return false;
    if (!this.#http) return true;
    return request === undefined ? this.#withoutRequest : this.#fitsRequest(request, path);
  }

  #fitsRequest(request: RequestFacts, path: PathReadings | undefined): boolean {
    if (this.#methods !== undefined && !this.#methods.fits(request.method)) return false;
    if (this.#notMethods?.fits(request.method)) return false;
    if (this.#hosts !== undefined && !this.#hosts.fits(request.host)) return false;
    if (this.#notHosts?.fits(request.host)) return false;
    if (path !== undefined) {
      if (this.#paths !== undefined && !this.#paths.fits(path)) return false;
      if (this.#notPaths?.fits(path)) return false;
    }
    if (this.#headers !== undefined)
      for (const header of this.#headers) if (!header.fits(request)) return false;
    return true;
  }
}

class Methods {
  readonly #methods: readonly string[];
  readonly #wide: boolean;

  constructor(methods: readonly string[], breadth: Breadth) {
    this.#wide = breadth === 'wide';
    this.#methods = this.#wide ? methods.map(method => method.toUpperCase()) : methods;
  }

  fits(method: string): boolean {
    if (this.#methods.includes(method)) return true;
    return this.#wide && !isUpper(method) && this.#methods.includes(method.toUpperCase());
  }
}

class Header {
  readonly #name: string;
  readonly #values: HeaderValues | undefined;
  readonly #notValues: HeaderValues | undefined;

  constructor({ name, values, notValues }: HeaderCondition, breadth: Breadth) {
    this.#name = lower(name);
    this.#values = values && new HeaderValues(values, breadth);
    this.#notValues = notValues && new HeaderValues(notValues, oppositeOf(breadth));
  }

  fits(request: RequestFacts): boolean {
    const value = request.header(this.#name);
    // Without any condition on the value it must be there; `notValues` alone also fits its absence.
    if (value === undefined) return this.#values === undefined && this.#notValues !== undefined;
    if (this.#values !== undefined && !this.#values.fit(value)) return false;
    return this.#notValues === undefined || !this.#notValues.fit(value);
  }
}

class HeaderValues {
  readonly #patterns: TextPatterns | undefined;
  readonly #wide: boolean;

  constructor(values: readonly string[], breadth: Breadth) {
    this.#wide = breadth === 'wide';
    this.#patterns = TextPatterns.read(this.#wide ? values.map(lower) : values);
  }

  fit(value: string): boolean {
    const patterns = this.#patterns as TextPatterns;
    if (!this.#wide) return patterns.fits(value);
    const text = value.toLowerCase();
    return (
      patterns.fits(text) || (text.includes(',') && text.split(',').some(part => patterns.fits(part.trim())))
    );
  }
}

function oppositeOf(breadth: Breadth): Breadth {
  return breadth === 'wide' ? 'narrow' : 'wide';
}

function isUpper(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x61 && code <= 0x7a) return false;
  }
  return true;
}

function lower(text: string): string {
  return text.toLowerCase();
}
