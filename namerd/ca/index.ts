/** The certificate authority: what signs, who may have what, and how a root is replaced. */

export type { Authority, AuthorityStatus, RootPhase, RootStatus, Signing } from './authority.ts';
export {
  CERTIFIER_LIMITS,
  Certifier,
  type CertifierLimits,
  type CertifierOptions,
  type Placement,
} from './certifier.ts';
export { CaError, CaRefusal, type RefusalCode } from './errors.ts';
export { type GivenAuthorityOptions, givenAuthority } from './given-authority.ts';
export { type JoinEntry, JoinTokens, MIN_TOKEN_LENGTH, tokenSha256 } from './join-tokens.ts';
export { type OwnAuthorityOptions, openOwnAuthority } from './own-authority.ts';
