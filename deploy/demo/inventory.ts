/** What runs in the demo: services, workloads, and where. Data only. */

import { join } from 'node:path';

export const CALCULATOR = 'calculator';
/** The calculator's twin. */
export const GRPC_CALCULATOR = 'grpc-calculator';
/** Its pods are created outside the mesh; they may be enrolled later. */
export const VISITORS = 'visitors';
/** Its HTTP has a thread of its own on every node, and will need it. */
export const TROUBLE = 'trouble';
/** Pods that the registry has never heard of. */
export const STRANGERS = 'strangers';

export interface ServiceSpec {
  namespace: string;
  name: string;
  vip: string;
  port: number;
  targetPort: number;
  /** Says what is spoken there. */
  portName: 'http' | 'grpc';
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
  serves?: 'http' | 'grpc';
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
  { ...service('hole', 1, 80), namespace: TROUBLE, vip: '10.96.2.1' },
  grpcService('division', 2, 5002),
  grpcService('multiplication', 3, 5003),
  grpcService('percentage', 5, 5005),
];

/** The calculator. Addition is on mathfanboy's node, the rest of what it calls is across the wire. */
export const WORKLOADS: readonly WorkloadSpec[] = [
  server('addition', 1),
  server('percentage', 1),
  server('multiplication', 2),
  server('division', 2),
  // As in the original: the one that has no service account of its own.
  { ...server('subtraction', 2), serviceAccount: 'default' },
  { ...server('mathfanboy', 1), program: program('mathfanboy.ts'), serves: undefined },
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

/** The same calculator by gRPC, as far as it is called: with several replicas of division. */
export const GRPC_WORKLOADS: readonly WorkloadSpec[] = [
  grpcServer('multiplication', 1),
  grpcServer('percentage', 2),
  grpcServer('division', 1),
  grpcServer('division', 2, 2),
  grpcServer('division', 2, 3),
  {
    ...grpcServer('mathfanboy', 1),
    program: program('grpc/mathfanboy.ts'),
    env: { OPERATIONS: 'division,multiplication,percentage' },
    serves: undefined,
  },
];

/** A pod without a program, for calls on order. */
export function emptyPod(namespace: string, name: string, node: number): WorkloadSpec {
  return { namespace, name, node, serviceAccount: name, labels: { app: name } };
}

export const TROUBLEMAKER = emptyPod(TROUBLE, 'troublemaker-1', 1);
/** Nobody has this address: who connects to it waits until the connect is given up. */
export const HOLE_IP = '10.244.2.250';
export const HOLE = emptyPod(TROUBLE, 'hole', 2);

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
    serves: 'http',
  };
}

function service(name: string, index: number, port: number, more: Record<string, string> = {}): ServiceSpec {
  const selector = { app: name, ...more };
  return {
    namespace: CALCULATOR,
    name,
    vip: `10.96.0.${index}`,
    port,
    targetPort: 80,
    portName: 'http',
    selector,
  };
}

function grpcService(name: string, index: number, port: number): ServiceSpec {
  const vip = `10.96.1.${index}`;
  return { ...service(name, index, port), namespace: GRPC_CALCULATOR, vip, portName: 'grpc' };
}

function grpcServer(app: string, node: number, index = 1): WorkloadSpec {
  return {
    ...server(app, node, 'v1', index),
    namespace: GRPC_CALCULATOR,
    program: program('grpc/service.ts', app),
    serves: 'grpc',
  };
}
