/**
 * The key of a watched name: a path, and behind a space the rules that a request has brought (`l5d-dtab`). Who sends
 * such rules may choose among what the mesh has, and nothing else: a rule that says outright `/$/…` is refused here,
 * whatever leads there by detours gets no answer when it is bound (see evaluation.ts).
 */

import { MeshError } from '#base/errors.ts';
import { type Dtab, type NameTree, type Path, parseDtab, parsePath } from '#names';

/** In UTF-16 units. A rule takes 50. */
export const MAX_DTAB_TEXT = 4 * 1024;
export const MAX_LOCAL_DENTRIES = 50;

export class RequestDtabError extends MeshError {
  constructor(message: string) {
    super('NM_REQUEST_DTAB', message, {
      by: 'client',
      next: 'Send in l5d-dtab only rules that lead to names of the mesh, such as /svc/a => /svc/b.',
    });
  }
}

export interface WatchedName {
  path: Path;
  /** Undefined when the request brought no rules. */
  local: Dtab | undefined;
}

/** @throws NameSyntaxError, RequestDtabError */
export function parseWatchedName(key: string): WatchedName {
  const blank = key.indexOf(' ');
  // A space is none of the characters that a path can have as they are.
  if (blank < 0) return { path: parsePath(key), local: undefined };
  const path = parsePath(key.slice(0, blank));
  const text = key.slice(blank + 1);
  if (text.length > MAX_DTAB_TEXT)
    throw new RequestDtabError(`the dtab of a request has at most ${MAX_DTAB_TEXT} characters`);
  const local = parseDtab(text);
  if (local.size > MAX_LOCAL_DENTRIES)
    throw new RequestDtabError(`the dtab of a request has at most ${MAX_LOCAL_DENTRIES} rules`);
  for (const { dst } of local.dentries) refuseSystemNames(dst);
  return { path, local: local.isEmpty ? undefined : local };
}

function refuseSystemNames(tree: NameTree<Path>): void {
  if (tree.type === 'alt') for (const each of tree.trees) refuseSystemNames(each);
  if (tree.type === 'union') for (const { tree: each } of tree.branches) refuseSystemNames(each);
  if (tree.type !== 'leaf') return;
  const [first = '', second = ''] = tree.value.elems;
  if (first.startsWith('$') || (first === '#' && second.startsWith('$')))
    throw new RequestDtabError(`the dtab of a request may not lead to ${tree.value.show.slice(0, 200)}`);
}
