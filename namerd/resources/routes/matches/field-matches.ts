/** Matches of headers and query parameters: exact texts or patterns, all of which must fit. */

import type { FieldMatch } from '#api';
import type { ConfigNode } from '#base/config.ts';
import { checked, limited, optional } from '../../values/fields.ts';
import { headerNameProblem, headerValueProblem } from '../../values/header-text.ts';
import type { RouteReading } from '../reading.ts';

const MAX_FIELDS = 16;
const MAX_QUERY_VALUE = 1_024;

export function readHeaderMatches(node: ConfigNode | undefined, reading: RouteReading): FieldMatch[] {
  const read = (item: ConfigNode) => readMatch(item, reading, headerValueProblem);
  const matches = limited(node, MAX_FIELDS, 'headers').map(item => {
    const match = read(item);
    return match === undefined ? undefined : { item, match: { ...match, name: match.name.toLowerCase() } };
  });
  return firstOfEach(matches, reading);
}

/** Parameters' names are case-sensitive. */
export function readQueryMatches(node: ConfigNode | undefined, reading: RouteReading): FieldMatch[] {
  const matches = limited(node, MAX_FIELDS, 'parameters').map(item => {
    const match = readMatch(item, reading, queryValueProblem);
    return match === undefined ? undefined : { item, match };
  });
  return firstOfEach(matches, reading);
}

function readMatch(
  node: ConfigNode,
  reading: RouteReading,
  valueProblem: (text: string) => string | undefined,
): FieldMatch | undefined {
  const fields = node.fields();
  const name = checked(fields.need('name'), headerNameProblem);
  const type = optional(fields, 'type')?.oneOf(['Exact', 'RegularExpression']) ?? 'Exact';
  const valueNode = fields.need('value');
  const value = type === 'Exact' ? checked(valueNode, valueProblem) : reading.pattern(valueNode);
  fields.finish();
  if (name === undefined || value === undefined) return undefined;
  return { name, kind: type === 'Exact' ? 'exact' : 'regex', value };
}

/** The Gateway API lets the first of several entries for one name count. */
function firstOfEach(
  matches: readonly ({ item: ConfigNode; match: FieldMatch } | undefined)[],
  reading: RouteReading,
): FieldMatch[] {
  const seen = new Set<string>();
  return matches.flatMap(each => {
    if (each === undefined) return [];
    const { item, match } = each;
    if (seen.has(match.name)) {
      reading.warn(item, `'${match.name}' stands here twice: the first entry counts`);
      return [];
    }
    seen.add(match.name);
    return match;
  });
}

function queryValueProblem(text: string): string | undefined {
  if (text === '') return 'a value has at least one character';
  return text.length > MAX_QUERY_VALUE ? `${text.length} characters: at most ${MAX_QUERY_VALUE}` : undefined;
}
