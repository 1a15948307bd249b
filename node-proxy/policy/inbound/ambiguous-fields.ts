/**
 * Fields that rules ask for, and that an application could read otherwise than the rules: under a name that CGI, WSGI and
 * Rack take for the same, as they turn `-` and `_` into one; or not at all, where Connection names them (RFC 9110 §7.6.1).
 */

import type { Authorizer } from '../../authorize/index.ts';
import type { RequestView } from '../view.ts';

/** Of a name with more separators only the spelling with `_` alone is looked for. */
const MAX_SEPARATORS = 6;

/** Connection has to name it where it is passed on; where it is not, nobody sees it. */
const UPGRADE = 'upgrade';

interface Asked {
  name: string;
  lookalikes: readonly string[];
}

const known = new WeakMap<Authorizer, readonly Asked[]>();

/** @returns what is wrong with a field that some rule asks for. */
export function ambiguousField(view: RequestView, authorizer: Authorizer): string | undefined {
  if (authorizer.fields.length === 0) return undefined;
  let asked = known.get(authorizer);
  if (asked === undefined) {
    asked = authorizer.fields.map(name => ({ name, lookalikes: lookalikesOf(name) }));
    known.set(authorizer, asked);
  }
  const connection = view.header('connection');
  const options = connection?.toLowerCase().split(/[\t ]*,[\t ]*/);
  for (const { name, lookalikes } of asked) {
    if (options?.includes(name) && name !== UPGRADE)
      return `Connection names ${name}, which a policy asks for`;
    for (const lookalike of lookalikes)
      if (view.header(lookalike) !== undefined)
        return `${lookalike} can be read as ${name}, which a policy asks for`;
  }
  return undefined;
}

/** All other names that are the same but for `-` and `_`. */
function lookalikesOf(name: string): string[] {
  const parts = name.split(/[-_]/);
  if (parts.length - 1 > MAX_SEPARATORS)
    return [parts.join('_'), parts.join('-')].filter(each => each !== name);
  let names = [parts[0] as string];
  for (const part of parts.slice(1)) names = names.flatMap(begun => [`${begun}-${part}`, `${begun}_${part}`]);
  return names.filter(each => each !== name);
}
