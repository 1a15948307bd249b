/** Reading `addresses` of services and workloads. */

import type { ConfigNode } from '#base/config.ts';
import { canonicalIp } from '#base/net.ts';

const MAX_ADDRESSES = 64;

/** Canonical IPs without duplicates; every problem is reported. */
export function readAddresses(node: ConfigNode | undefined): string[] {
  const items = node?.items() ?? [];
  if (items.length > MAX_ADDRESSES) node?.problem(`${items.length} addresses: at most ${MAX_ADDRESSES}`);
  const addresses = new Set<string>();
  for (const item of items.slice(0, MAX_ADDRESSES)) {
    const text = item.string();
    if (text === undefined) continue;
    const ip = canonicalIp(text);
    if (ip === undefined) item.problem(`'${text}' is no IP address such as '10.0.0.1' or '2001:db8::1'`);
    else if (ip === '0.0.0.0' || ip === '::') item.problem(`'${text}' is nobody's address`);
    else if (addresses.has(ip)) item.problem(`the address ${ip} stands here twice`);
    else addresses.add(ip);
  }
  return [...addresses];
}
