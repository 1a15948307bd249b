/** `parentRefs`: the services whose clients a route is for (GEP-1294). Gateways are other programs' business. */

import type { ConfigNode } from '#base/config.ts';
import { dnsSubdomainProblem } from '../metadata.ts';
import { checked, limited, optional, withoutAbsent } from '../values/fields.ts';
import {
  isService,
  readNamespaceOr,
  readReferenceHead,
  readServiceName,
} from '../values/service-reference.ts';
import type { RouteReading } from './reading.ts';
import type { RouteParent } from './route-document.ts';

const MAX_PARENTS = 32;
const MAX_PORT = 65_535;

export function readParents(node: ConfigNode | undefined, reading: RouteReading): RouteParent[] {
  if (node === undefined) return [];
  const before = node.problems.list.length;
  const seen = new Set<string>();
  const parents = limited(node, MAX_PARENTS, 'parents').flatMap(item => {
    const parent = readParent(item, reading);
    if (parent === undefined) return [];
    const id = JSON.stringify(parent);
    if (seen.has(id)) item.problem('this parent stands here twice');
    seen.add(id);
    return parent;
  });
  if (parents.length === 0 && node.problems.list.length === before)
    node.problem("no parent is a Service: name one with group: '' and kind: Service");
  return parents;
}

function readParent(node: ConfigNode, reading: RouteReading): RouteParent | undefined {
  const fields = node.fields();
  const head = readReferenceHead(fields);
  const ours = isService(head, false);
  const namespace = readNamespaceOr(fields, reading.namespace);
  const service = ours ? readServiceName(fields) : fields.get('name')?.string();
  const port = optional(fields, 'port')?.integer(1, MAX_PORT);
  const sectionName = checked(optional(fields, 'sectionName'), dnsSubdomainProblem);
  fields.finish();
  if (!ours) {
    const what = [head.group, head.kind ?? 'Gateway'].filter(part => part).join('/');
    reading.warn(node, `the parent of kind ${what} is ignored: routes of the mesh belong to a Service`);
    return undefined;
  }
  return service === undefined ? undefined : withoutAbsent({ namespace, service, port, sectionName });
}
