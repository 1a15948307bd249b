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
import type { Test } from './caller.ts';
import { type Breadth, pathTest } from './path-patterns.ts';
import { anyOf, every, given, type TextTest, textTest } from './patterns.ts';

/** True for what one of the matches fits; an empty list fits everything. */
export function targetTest(matches: readonly TargetMatch[], action: PolicyAction): Test {
  return anyOf(matches.map(match => oneTarget(match, action)));
}

export function hasHttpFields(match: TargetMatch): boolean {
  return asksPath(match) || HTTP_FIELDS.some(field => match[field] !== undefined);
}

export function asksPath({ paths, notPaths }: TargetMatch): boolean {
  return paths !== undefined || notPaths !== undefined;
}

const HTTP_FIELDS = ['methods', 'notMethods', 'hosts', 'notHosts', 'headers'] as const;

function oneTarget(match: TargetMatch, action: PolicyAction): Test {
  const ports = portTest(match);
  if (!hasHttpFields(match)) return ports;
  const http = httpTest(match, action === 'ALLOW' ? 'narrow' : 'wide');
  // Of bytes that are not HTTP nobody can tell what they ask for: refusals hold, permissions don't.
  const withoutRequest = action === 'DENY';
  return caller => ports(caller) && (caller.request === undefined ? withoutRequest : http(caller));
}

function portTest({ ports, notPorts }: TargetMatch): Test {
  const wanted = ports && new Set(ports);
  const unwanted = notPorts && new Set(notPorts);
  return every(
    given<Test>([
      wanted && (({ port }) => wanted.has(port)),
      unwanted && (({ port }) => !unwanted.has(port)),
    ]),
  );
}

function httpTest(match: TargetMatch, breadth: Breadth): Test {
  const opposite = breadth === 'wide' ? 'narrow' : 'wide';
  const method = methodTest(match.methods, breadth);
  const notMethod = methodTest(match.notMethods, opposite);
  const path = pathTest(match.paths, breadth);
  const notPath = pathTest(match.notPaths, opposite);
  const host = textTest(match.hosts?.map(lower));
  const notHost = textTest(match.notHosts?.map(lower));
  return every(
    given<Test>([
      method && (({ request }) => request !== undefined && method(request.method)),
      notMethod && (({ request }) => request !== undefined && !notMethod(request.method)),
      path && (({ request }) => request !== undefined && path(request.path)),
      notPath && (({ request }) => request !== undefined && !notPath(request.path)),
      host && (({ request }) => request !== undefined && host(request.host)),
      notHost && (({ request }) => request !== undefined && !notHost(request.host)),
      ...(match.headers ?? []).map(condition => headerTest(condition, breadth)),
    ]),
  );
}

function methodTest(methods: readonly string[] | undefined, breadth: Breadth): TextTest | undefined {
  if (methods === undefined) return undefined;
  const exact = new Set(methods);
  if (breadth === 'narrow') return method => exact.has(method);
  const folded = new Set(methods.map(method => method.toUpperCase()));
  return method => folded.has(method) || (!isUpper(method) && folded.has(method.toUpperCase()));
}

function headerTest({ name, values, notValues }: HeaderCondition, breadth: Breadth): Test {
  const field = name.toLowerCase();
  if (values === undefined && notValues === undefined) {
    return ({ request }) => request?.header(field) !== undefined;
  }
  const fits = valueTest(values, breadth);
  const unfit = valueTest(notValues, breadth === 'wide' ? 'narrow' : 'wide');
  return ({ request }) => {
    const value = request?.header(field);
    return (
      (fits === undefined || (value !== undefined && fits(value))) &&
      (unfit === undefined || value === undefined || !unfit(value))
    );
  };
}

function valueTest(patterns: readonly string[] | undefined, breadth: Breadth): TextTest | undefined {
  const exactly = textTest(patterns);
  const folded = textTest(patterns?.map(lower));
  if (exactly === undefined || folded === undefined || breadth === 'narrow') return exactly;
  return value => {
    const text = value.toLowerCase();
    return folded(text) || (text.includes(',') && text.split(',').some(part => folded(part.trim())));
  };
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
