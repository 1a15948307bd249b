/** Transparent capture of a pod's TCP connections: rules as data, and their life inside a network namespace. */

export { type Applied, Capture, type Inspection } from './capture.ts';
export { CaptureError } from './capture-error.ts';
export { type Iptables, iptablesOf, OVERRIDE as IPTABLES_OVERRIDE } from './flavour.ts';
export {
  type CaptureOptions,
  CaptureOptionsError,
  INBOUND_PORT,
  MARK_MASK,
  OUTBOUND_PORT,
  type PortRange,
  PROXY_MARK,
  parsePortRanges,
  RETURN_MARK,
  TUNNEL_PORT,
} from './options.ts';
export { renderFirst as renderRules } from './render.ts';
export { type Chain, captureRules, type Rule, type RuleSet } from './rules.ts';
export type { IPv6State } from './script.ts';
