/**
 * One entry of `to`: what is asked for. What no request can have is refused, since a DENY rule with it would
 * look like protection.
 */

import { isIPv6 } from 'node:net';
import type { HeaderCondition, TargetMatch } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { checked, optional, withoutAbsent } from '../values/fields.ts';
import { headerNameProblem } from '../values/header-text.ts';
import { segmentsProblem } from '../values/http-path.ts';
import { literalOf, wildcardProblem } from '../values/wildcard.ts';
import { readAlternatives, readEntries } from './match-list.ts';

const MAX_PORT = 65_535;
const MAX_TEXT = 1_024;
const METHOD = /^[A-Z][A-Z0-9_-]{0,31}$/;
const PATH = /^[!-~]*$/;
const HOST = /^[a-z0-9._-]*$/;

/** The entries of a `to` list. */
export function readTargets(node: ConfigNode | undefined): TargetMatch[] {
  return readAlternatives(node, readTarget);
}

function readTarget(fields: Fields): TargetMatch {
  const port = (name: string) => readEntries(optional(fields, name), node => node.integer(1, MAX_PORT));
  const list = (name: string, problemOf: (text: string) => string | undefined) =>
    readEntries(optional(fields, name), node => checked(node, problemOf));
  const hosts = (name: string) =>
    readEntries(optional(fields, name), node => checked(node, hostProblem)?.toLowerCase());
  return withoutAbsent({
    ports: port('ports'),
    notPorts: port('notPorts'),
    methods: list('methods', methodProblem),
    notMethods: list('notMethods', methodProblem),
    paths: list('paths', pathProblem),
    notPaths: list('notPaths', pathProblem),
    hosts: hosts('hosts'),
    notHosts: hosts('notHosts'),
    headers: readEntries(optional(fields, 'headers'), readHeader),
  });
}

function methodProblem(text: string): string | undefined {
  if (METHOD.test(text)) return undefined;
  const upper = text.toUpperCase();
  const hint = text !== upper && METHOD.test(upper) ? `; did you mean '${upper}'?` : '';
  return `'${text}' is no method in capital letters, such as GET${hint}`;
}

function pathProblem(text: string): string | undefined {
  const wildcard = wildcardProblem(text) ?? lengthProblem(text);
  if (wildcard !== undefined) return wildcard;
  if (!/^[/*]/.test(text)) return `'${text}' matches no path: it begins with '/', or with '*'`;
  if (/[?#]/.test(text)) return `'${text}': paths are compared without query`;
  if (!PATH.test(text)) return `'${text}' has characters that a path holds percent-encoded only`;
  // `/a/.*` begins with a hidden file, not with a segment that vanishes.
  return segmentsProblem(text.endsWith('*') ? `${literalOf(text)}x` : literalOf(text));
}

function hostProblem(text: string): string | undefined {
  const wildcard = wildcardProblem(text) ?? lengthProblem(text);
  if (wildcard !== undefined) return wildcard;
  const literal = literalOf(text.toLowerCase());
  if (HOST.test(literal) || isAddressInBrackets(literal)) return undefined;
  const port = /^(.+):\d+$/.exec(text);
  const hint = port === null ? '' : `: hosts are compared without port, write '${port[1]}'`;
  return `'${text}' is no host${hint}`;
}

function isAddressInBrackets(text: string): boolean {
  return text.startsWith('[') && text.endsWith(']') && isIPv6(text.slice(1, -1));
}

function readHeader(node: ConfigNode): HeaderCondition | undefined {
  const fields = node.fields();
  const name = checked(fields.need('name'), conditionNameProblem)?.toLowerCase();
  const values = readEntries(optional(fields, 'values'), item => checked(item, valueProblem));
  const notValues = readEntries(optional(fields, 'notValues'), item => checked(item, valueProblem));
  fields.finish();
  return name === undefined ? undefined : withoutAbsent({ name, values, notValues });
}

function conditionNameProblem(text: string): string | undefined {
  if (text.toLowerCase() === 'host') return "the host is compared by 'hosts', whatever carries it";
  return headerNameProblem(text);
}

function valueProblem(text: string): string | undefined {
  const problem = wildcardProblem(text) ?? lengthProblem(text);
  if (problem !== undefined) return problem;
  return /^[\t -~]*$/.test(text) ? undefined : 'a value is printable ASCII without line breaks';
}

function lengthProblem(text: string): string | undefined {
  return text.length > MAX_TEXT ? `${text.length} characters: at most ${MAX_TEXT}` : undefined;
}
