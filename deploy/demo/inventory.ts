/** What runs in the demo: services, workloads, and where. Data only. */

import { join } from 'node:path';

export const CALCULATOR = 'calculator';
/** Its pods are created outside the mesh; they may be enrolled later. */
export const VISITORS = 'visitors';
/** Pods that the registry has never heard of. */
export const STRANGERS = 'strangers';

export interface ServiceSpec {
  namespace: string;
  name: string;
  vip: string;
  port: number;
  targetPort: number;
  selector: Readonly<Record<string, string>>;
}

export interface WorkloadSpec {
  namespace: string;
  name: string;
  /** 1 or 2. */
  node: number;
  serviceAccount: string;
  labels: Readonly<Record<string, string>>;
  /** Absent: an empty pod, for calls on order. */
  program?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Listens on port 80. */
  serves: boolean;
}

export function program(file: string, ...args: string[]): string[] {
  return [process.execPath, join(import.meta.dirname, 'calculator', file), ...args];
}

export const SERVICES: readonly ServiceSpec[] = [
  service('addition', 1, 5001, { version: 'v1' }),
  service('division', 2, 5002, { version: 'v1' }),
  service('multiplication', 3, 5003),
  service('subtraction', 4, 5004),
  service('percentage', 5, 5005),
  { ...service('division-v2', 6, 5002), selector: { app: 'division', version: 'v2' } },
  { ...service('addition-v2', 7, 5001), selector: { app: 'addition', version: 'v2' } },
];

/** The calculator. Addition is on mathfanboy's node, the rest of what it calls is across the wire. */
export const WORKLOADS: readonly WorkloadSpec[] = [
  server('addition', 1),
  server('percentage', 1),
  server('multiplication', 2),
  server('division', 2),
  // As in the original: the one that has no service account of its own.
  { ...server('subtraction', 2), serviceAccount: 'default' },
  {
    ...server('mathfanboy', 1),
    program: program('mathfanboy.ts'),
    serves: false,
  },
];

/** The second version of division, started by whoever needs it. */
export const DIVISION_V2: WorkloadSpec = {
  ...server('division', 1, 'v2'),
  name: 'division-v2-1',
  serviceAccount: 'division-v2',
};

/** The second version of addition, across the wire from its callers. */
export const ADDITION_V2: WorkloadSpec = {
  ...server('addition', 2, 'v2'),
  name: 'addition-v2-1',
  serviceAccount: 'addition-v2',
};

/** A pod without a program, for calls on order. */
export function emptyPod(namespace: string, name: string, node: number): WorkloadSpec {
  return { namespace, name, node, serviceAccount: name, labels: { app: name }, serves: false };
}

/** One more replica of a calculator service. */
export function server(app: string, node: number, version = 'v1', index = 1): WorkloadSpec {
  const arithmetic = app !== 'percentage';
  return {
    namespace: CALCULATOR,
    name: `${app}-${index}`,
    node,
    serviceAccount: app,
    labels: { app, version },
    program: arithmetic ? program('arithmetic.ts', app) : program('percentage.ts'),
    env: { VERSION: version, PORT: '80' },
    serves: true,
  };
}

function service(name: string, index: number, port: number, more: Record<string, string> = {}): ServiceSpec {
  const selector = { app: name, ...more };
  return { namespace: CALCULATOR, name, vip: `10.96.0.${index}`, port, targetPort: 80, selector };
}
