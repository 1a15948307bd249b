/** RFC 7541 appendix A: the 61 fields that every peer knows, and how to find them when encoding. */

import type { Header } from './header.ts';

const FIELDS = `:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200
:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset
accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow
authorization|cache-control|content-disposition|content-encoding|content-language|content-length
content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match
if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards
proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie
strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`;

/** Index 1 is the first field; index 0 is unused, as on the wire. */
export const STATIC_TABLE: readonly Header[] = [
  ['', ''],
  ...FIELDS.split(/[|\n]/).map((field): Header => {
    const space = field.indexOf(' ');
    return space < 0 ? [field, ''] : [field.slice(0, space), field.slice(space + 1)];
  }),
];

export interface StaticName {
  /** The first index with this name. */
  index: number;
  /** Values that have an index of their own. */
  values: ReadonlyMap<string, number>;
}

export const STATIC_NAMES: ReadonlyMap<string, StaticName> = names();

function names(): Map<string, StaticName> {
  const found = new Map<string, { index: number; values: Map<string, number> }>();
  STATIC_TABLE.forEach(([name, value], index) => {
    if (index === 0) return;
    const entry = found.get(name) ?? { index, values: new Map() };
    if (value !== '') entry.values.set(value, index);
    found.set(name, entry);
  });
  return found;
}
