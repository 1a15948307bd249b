/** The files of `io.l5d.fs`: one `host port [* weight]` a line, comments from `#` on, blank lines. */

import type { HostPort } from '../endpoints.ts';
import { portOf } from '../endpoints.ts';

export interface EndpointFile {
  endpoints: readonly HostPort[];
  /** `line: message`, all of them. */
  problems: readonly string[];
}

const MAX_ENDPOINTS = 20_000;
const MAX_HOST = 253;
const LINE = /^(\S+)\s+([^\s*]+)(?:\s*\*\s*(\S+))?$/;
const WEIGHT = /^(?:\d+(?:\.\d*)?|\.\d+)$/;

export function parseEndpointFile(text: string): EndpointFile {
  const endpoints: HostPort[] = [];
  const problems: string[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const endpoint = parseLine(line);
    if (typeof endpoint === 'string') problems.push(`${i + 1}: ${endpoint}`);
    else if (endpoints.length < MAX_ENDPOINTS) endpoints.push(endpoint);
    else {
      problems.push(`${i + 1}: more than ${MAX_ENDPOINTS} endpoints`);
      break;
    }
  }
  // A weight of 0 takes no traffic, which is what not being there is.
  return { endpoints: endpoints.filter(({ weight }) => weight > 0), problems };
}

/** @returns what is wrong, if anything is */
function parseLine(line: string): HostPort | string {
  const [, host, portText, weightText] = LINE.exec(line) ?? [];
  if (host === undefined)
    return `'host port' or 'host port * weight' is expected but '${line.slice(0, 80)}' is there`;
  if (host.length > MAX_HOST) return `a host of more than ${MAX_HOST} characters`;
  const port = portOf(portText);
  if (port === undefined) return `'${portText?.slice(0, 20)}' is no port: 1 to 65535`;
  if (weightText === undefined) return { host, port, weight: 1 };
  const weight = WEIGHT.test(weightText) ? Number(weightText) : Number.NaN;
  return Number.isFinite(weight) ? { host, port, weight } : `'${weightText.slice(0, 20)}' is no weight`;
}
