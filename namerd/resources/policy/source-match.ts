/** One entry of `from`: who asks. */

import type { SourceMatch } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { CidrBlock } from '#base/net.ts';
import { tryParseSpiffe } from '#trust';
import { dnsLabelProblem } from '../metadata.ts';
import { checked, optional, withoutAbsent } from '../values/fields.ts';
import { literalOf, wildcardProblem } from '../values/wildcard.ts';
import { readAlternatives, readEntries } from './match-list.ts';

/** The entries of a `from` list. */
export function readSources(node: ConfigNode | undefined): SourceMatch[] {
  return readAlternatives(node, readSource);
}

function readSource(fields: Fields): SourceMatch {
  const list = (name: string, problemOf: (text: string) => string | undefined) =>
    readEntries(optional(fields, name), node => checked(node, problemOf));
  return withoutAbsent({
    identities: list('identities', identityProblem),
    notIdentities: list('notIdentities', identityProblem),
    namespaces: list('namespaces', namespacePatternProblem),
    notNamespaces: list('notNamespaces', namespacePatternProblem),
    ipBlocks: list('ipBlocks', blockProblem),
    notIpBlocks: list('notIpBlocks', blockProblem),
  });
}

function identityProblem(text: string): string | undefined {
  const wildcard = wildcardProblem(text);
  if (wildcard !== undefined) return wildcard;
  if (text.startsWith('*')) return undefined;
  const scheme = 'spiffe://';
  if (text.endsWith('*')) {
    const prefix = text.slice(0, -1);
    if (prefix.startsWith(scheme) || scheme.startsWith(prefix)) return undefined;
    return `'${text}' matches no identity: a SPIFFE id begins with '${scheme}'`;
  }
  if (tryParseSpiffe(text) !== undefined) return undefined;
  const whole = `${scheme}${text}`;
  const hint = tryParseSpiffe(whole) === undefined ? '' : `; did you mean '${whole}'?`;
  return `'${text}' is no SPIFFE id of the form 'spiffe://<trust domain>/ns/<namespace>/sa/<service account>'${hint}`;
}

function namespacePatternProblem(text: string): string | undefined {
  const wildcard = wildcardProblem(text);
  if (wildcard !== undefined) return wildcard;
  const literal = literalOf(text);
  if (literal === text) return dnsLabelProblem(text);
  // A part of a label may begin or end with '-', a whole one may not.
  return literal === '' ? undefined : dnsLabelProblem(`a${literal}a`);
}

function blockProblem(text: string): string | undefined {
  if (CidrBlock.parse(text) !== undefined) return undefined;
  return `'${text}' is no address block such as '10.0.0.0/8' or '2001:db8::/32'`;
}
