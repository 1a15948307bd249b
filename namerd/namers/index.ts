/** What answers the names that no dtab rewrites further. */

export { DnsSrvNamer, type DnsSrvNamerOptions } from './dnssrv-namer.ts';
export { plainReplica } from './endpoints.ts';
export { FsNamer, type FsNamerOptions } from './fs/fs-namer.ts';
export { Hosts } from './hosts.ts';
export {
  type Activity,
  type BoundName,
  constant,
  failed,
  type Namer,
  type NamerAnswer,
  NamerError,
  type NamerTree,
  NO_ANSWER,
  type OtherName,
  ok,
  PENDING,
  UnknownNamerError,
} from './namer.ts';
export { REGISTRY_PREFIX, RegistryNamer } from './registry-namer.ts';
export {
  type ResolvedHost,
  type Resolver,
  type SrvRecord,
  serversResolver,
  systemResolver,
} from './resolver.ts';
export { RewriteNamer, type RewriteNamerOptions } from './rewrite-namer.ts';
export { SystemNamers } from './system-namers.ts';
