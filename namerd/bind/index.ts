/** From names and addresses to replicas: dtab and namers together, watched; and how a name came about. */

export { AddressBinder, type AddressBinderOptions, type HttpSource } from './address-binder.ts';
export {
  type AddrJson,
  addrOf,
  type BoundJson,
  type DelegateTree,
  type DentryJson,
} from './delegate-tree.ts';
export { BindError, type Binding, MAX_DEPTH, MAX_LOOKUPS } from './evaluation.ts';
export { Interpreter, type InterpreterOptions, nameStateOf } from './interpreter.ts';
export { baseDtab, meshDtab } from './mesh-dtab.ts';
export { NamerPrefixError, NamerTable } from './namer-table.ts';
export { parseWatchedName, RequestDtabError } from './request-dtab.ts';
export { sameAddressState, sameBinding } from './same-state.ts';
