/** Reading the `spec` of a `Service` document. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsLabelProblem, type Metadata, readLabels } from '../resources/metadata.ts';
import { readAddresses } from './address-list.ts';
import { HTTP_ANNOTATION, type Service, type ServicePort } from './model.ts';

export type { Service } from './model.ts';

const MAX_PORT = 65_535;
const MAX_PORTS = 256;
const MAX_PROTOCOL = 253;

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readService({ namespace, name, labels, annotations }: Metadata, spec: Fields): Service {
  checkHttpAnnotation(annotations, spec);
  const addresses = readAddresses(spec.get('addresses'));
  const ports = readPorts(spec.need('ports'));
  const selector = readLabels(spec.get('selector'));
  spec.finish();
  return { namespace, name, labels, annotations, addresses, ports, selector };
}

/** Whoever writes something else would find nothing understood, and no reason. */
export function checkHttpAnnotation(annotations: Readonly<Record<string, string>>, { node }: Fields): void {
  const value = annotations[HTTP_ANNOTATION];
  if (value !== undefined && value !== 'enabled' && value !== 'disabled')
    node.problem(`the annotation ${HTTP_ANNOTATION} is '${value}'; it may be 'enabled' or 'disabled'`);
}

function readPorts(node: ConfigNode | undefined): ServicePort[] {
  const items = node?.items() ?? [];
  if (node !== undefined && items.length === 0) node.problem('a service has at least one port');
  if (items.length > MAX_PORTS) node?.problem(`${items.length} ports: at most ${MAX_PORTS}`);
  const seen = new Set<string>();
  return items.slice(0, MAX_PORTS).map(item => readPort(item, seen));
}

/** @param seen the names and numbers so far: each may stand only once, since both are names of the port. */
function readPort(node: ConfigNode, seen: Set<string>): ServicePort {
  const fields = node.fields();
  const nameNode = fields.get('name');
  const portNode = fields.need('port');
  const name = readPortName(nameNode) ?? '';
  const port = portNode?.integer(1, MAX_PORT) ?? 0;
  const target = readTarget(fields.get('targetPort')) ?? port;
  const protocolNode = fields.get('appProtocol');
  const appProtocol = protocolNode?.string() ?? '';
  if (appProtocol.length > MAX_PROTOCOL) protocolNode?.problem(`longer than ${MAX_PROTOCOL} characters`);
  // TCP is all that the mesh carries; the field is accepted because Kubernetes writes it.
  fields.get('protocol')?.oneOf(['TCP']);
  fields.finish();
  for (const [label, at] of [
    [name, nameNode],
    [String(port), portNode],
  ] as const) {
    if (label !== '' && at !== undefined && seen.has(label))
      at.problem(`the port '${label}' stands here twice`);
    seen.add(label);
  }
  return { name, port, target, appProtocol };
}

function readTarget(node: ConfigNode | undefined): number | string | undefined {
  if (node === undefined) return undefined;
  return typeof node.value === 'number' ? node.integer(1, MAX_PORT) : readPortName(node);
}

/** A DNS label that can't be taken for a number. */
export function readPortName(node: ConfigNode | undefined): string | undefined {
  const text = node?.string();
  if (text === undefined) return undefined;
  const problem = portNameProblem(text);
  if (problem === undefined) return text;
  node?.problem(problem);
  return undefined;
}

export function portNameProblem(text: string): string | undefined {
  return /^\d+$/.test(text)
    ? `'${text}' is a number in quotes, not the name of a port`
    : dnsLabelProblem(text);
}
