/** `TrafficPolicy`: what is asked of requests to one service, and how its replicas are used. */

import { DEFAULT_SERVICE_SETTINGS, type ServiceSettings, type SourceMatch } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { readPortName } from '../../registry/service.ts';
import { readSources } from '../policy/source-match.ts';
import { optional } from '../values/fields.ts';
import { isService, readReferenceHead, readServiceName } from '../values/service-reference.ts';

import { readClient } from './balancer.ts';
import { readIdentifiers } from './identifiers.ts';
import { section, type Warn } from './reading.ts';
import { readRetries, readTimeouts } from './retries.ts';
import type { ServerSettings, TrafficDocument } from './traffic-document.ts';

const MAX_PORT = 65_535;
const MAX_REQUESTS = 1_000_000;
/** Sections that say nothing about bytes that are not HTTP. */
const HTTP_SECTIONS = [
  'timeouts',
  'retries',
  'circuitBreaker',
  'limits',
  'identifiers',
  'dtabOverride',
  'server',
];

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readTrafficPolicy(spec: Fields): TrafficDocument {
  const warnings: string[] = [];
  const warn: Warn = (at, message) => {
    warnings.push(`${at.path}: ${message}`);
  };
  const target = readTarget(spec.need('targetRef'));
  const protocolNode = optional(spec, 'protocol');
  const protocol = protocolNode?.oneOf(['http', 'opaque']);
  const client = readClient(spec, warn);
  const service = readService(spec, client.balancer.hashOn, warn);
  const server = section(spec, 'server', readServer) ?? {
    forwardClientIdentity: false,
    concurrentRequests: 0,
  };
  spec.finish();
  const idle = HTTP_SECTIONS.filter(name => spec.names.includes(name));
  if (protocolNode !== undefined && protocol === 'opaque' && idle.length > 0)
    warn(protocolNode, `bytes that are not looked into: no effect of ${idle.join(', ')}`);
  return {
    target,
    ...(protocol === undefined ? {} : { protocol }),
    service,
    client,
    server,
    warnings,
  };
}

/** A service of the policy's own namespace: nobody decides about the callers of somebody else's. */
function readTarget(node: ConfigNode | undefined): TrafficDocument['target'] {
  if (node === undefined) return { service: '' };
  const fields = node.fields();
  const head = readReferenceHead(fields);
  const service = readServiceName(fields) ?? '';
  const portNode = optional(fields, 'port');
  const port = typeof portNode?.value === 'number' ? portNode.integer(1, MAX_PORT) : readPortName(portNode);
  optional(fields, 'namespace')?.problem('a TrafficPolicy is for a service of its own namespace');
  fields.finish();
  if (!isService(head, true)) head.at.problem('only Services (kind: Service) can be targets');
  return port === undefined ? { service } : { service, port };
}

function readService(spec: Fields, stickyOn: ServiceSettings['stickyOn'], warn: Warn): ServiceSettings {
  const defaults = DEFAULT_SERVICE_SETTINGS;
  return {
    timeouts: section(spec, 'timeouts', fields => readTimeouts(fields, warn)) ?? defaults.timeouts,
    retries: section(spec, 'retries', fields => readRetries(fields, warn)) ?? defaults.retries,
    identifiers: readIdentifiers(optional(spec, 'identifiers'), warn),
    ...(stickyOn === undefined ? {} : { stickyOn }),
    dtabFrom: section(spec, 'dtabOverride', fields => readDtabFrom(fields, warn)) ?? defaults.dtabFrom,
  };
}

/** Whoever may send a dtab sends requests anywhere: callers have to be named. */
function readDtabFrom(fields: Fields, warn: Warn): SourceMatch[] {
  const node = fields.need('from');
  const sources = readSources(node);
  if (node !== undefined && sources.some(({ identities, namespaces }) => !identities && !namespaces))
    warn(node, 'an entry names neither identities nor namespaces: an address alone can be borrowed');
  return sources;
}

function readServer(fields: Fields): ServerSettings {
  return {
    forwardClientIdentity: optional(fields, 'forwardClientIdentity')?.boolean() ?? false,
    concurrentRequests: optional(fields, 'concurrentRequests')?.integer(0, MAX_REQUESTS) ?? 0,
  };
}
