/** The naming language: paths, trees and delegation tables; reading, printing, lookup, rewriting. Pure. */

export type { Dentry } from './dtab.ts';
export { applyDentry, Dtab, NOP_DENTRY, showDentry } from './dtab.ts';
export { labelOf, showLabel, utf8Of } from './label.ts';
export {
  MAX_NAME_TEXT,
  MAX_NESTING,
  parseDentry,
  parseDtab,
  parseNameTree,
  parsePath,
  parsePrefix,
} from './parse.ts';
export { Path } from './path.ts';
export { PathMatcher } from './path-matcher.ts';
export type { PrefixElem } from './prefix.ts';
export { ANY, Prefix } from './prefix.ts';
export { rewriteSystemPath, SYSTEM_REWRITERS } from './rewriters.ts';
export { showTree, showWeight } from './show.ts';
export { NameSyntaxError } from './syntax-error.ts';
export type { NameTree, Weighted } from './tree.ts';
export { alt, EMPTY, evalTree, FAIL, leaf, mapTree, NEG, simplifyTree, union } from './tree.ts';
