/** `backendRefs`: the services that get a rule's requests, each with its share. */

import type { ConfigNode } from '#base/config.ts';
import { optional, readList } from '../values/fields.ts';
import {
  isService,
  readNamespaceOr,
  readReferenceHead,
  readServiceName,
} from '../values/service-reference.ts';
import { type FilterType, readFilters } from './filters/filters.ts';
import type { RouteReading } from './reading.ts';
import type { RouteDocumentBackend } from './route-document.ts';

const MAX_BACKENDS = 16;
const MAX_PORT = 65_535;
const MAX_WEIGHT = 1_000_000;

/** @param filters what a backend may have. */
export function readBackends(
  node: ConfigNode | undefined,
  filters: readonly FilterType[],
  reading: RouteReading,
): RouteDocumentBackend[] {
  const backends = readList(node, { max: MAX_BACKENDS, what: 'backends' }, item =>
    readBackend(item, filters, reading),
  );
  if (node !== undefined && backends.length > 0 && backends.every(({ weight }) => weight === 0))
    reading.warn(node, 'all weights are 0: requests are answered with 500');
  return backends;
}

function readBackend(
  node: ConfigNode,
  filters: readonly FilterType[],
  reading: RouteReading,
): RouteDocumentBackend | undefined {
  const fields = node.fields();
  const head = readReferenceHead(fields);
  const namespace = readNamespaceOr(fields, reading.namespace);
  const service = readServiceName(fields);
  const port = fields.need('port')?.integer(1, MAX_PORT);
  const weight = optional(fields, 'weight')?.integer(0, MAX_WEIGHT) ?? 1;
  const list = readFilters(
    optional(fields, 'filters'),
    { supported: filters, place: 'backendRefs' },
    reading,
  );
  fields.finish();
  if (!isService(head, true)) {
    const what = [head.group, head.kind].filter(part => part).join('/');
    head.at.problem(
      `a backend of kind ${what} is not supported: only Services (group: '', kind: Service) are`,
    );
    return undefined;
  }
  if (service === undefined || port === undefined) return undefined;
  return { namespace, service, port, weight, filters: list };
}
