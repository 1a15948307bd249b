/** Reading the `spec` of a `Workload` document. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsLabelProblem, dnsSubdomainProblem, type Metadata } from '../resources/metadata.ts';
import { checked } from '../resources/values/fields.ts';
import { readAddresses } from './address-list.ts';
import { MESH_LABEL, type Workload } from './model.ts';
import { checkHttpAnnotation, portNameProblem } from './service.ts';

export type { Workload } from './model.ts';

const MAX_PORT = 65_535;
const MAX_PORTS = 256;
const MIN_WEIGHT = 0.001;
const MAX_WEIGHT = 1_000_000;
const MAX_ZONE = 253;

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readWorkload({ namespace, name, labels, annotations }: Metadata, spec: Fields): Workload {
  const mesh = labels[MESH_LABEL];
  if (mesh !== undefined && mesh !== 'enabled' && mesh !== 'disabled')
    spec.node.problem(`the label ${MESH_LABEL} is '${mesh}'; it may be 'enabled' or 'disabled'`);
  checkHttpAnnotation(annotations, spec);
  const zoneNode = spec.get('zone');
  const zone = zoneNode?.string() ?? '';
  if (zone.length > MAX_ZONE) zoneNode?.problem(`longer than ${MAX_ZONE} characters`);
  const workload: Workload = {
    namespace,
    name,
    labels,
    annotations,
    node: checked(spec.need('node'), dnsSubdomainProblem) ?? '',
    serviceAccount: checked(spec.get('serviceAccount'), dnsLabelProblem) ?? 'default',
    addresses: readAddresses(spec.get('addresses')),
    ports: readPorts(spec.get('ports')),
    zone,
    weight: spec.get('weight')?.number(MIN_WEIGHT, MAX_WEIGHT) ?? 1,
    ready: spec.get('ready')?.boolean() ?? true,
    terminating: spec.get('terminating')?.boolean() ?? false,
  };
  spec.finish();
  return workload;
}

function readPorts(node: ConfigNode | undefined): Record<string, number> {
  const ports: Record<string, number> = {};
  const fields = node?.fields();
  const names = fields?.names ?? [];
  if (names.length > MAX_PORTS) node?.problem(`${names.length} ports: at most ${MAX_PORTS}`);
  for (const name of names.slice(0, MAX_PORTS)) {
    const at = fields?.get(name);
    const problem = portNameProblem(name);
    if (problem !== undefined) (at ?? node)?.problem(problem);
    const port = at?.integer(1, MAX_PORT);
    if (at === undefined) node?.problem(`the port '${name}' has no number`);
    if (port !== undefined && problem === undefined) ports[name] = port;
  }
  return ports;
}
