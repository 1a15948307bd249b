/** Services and workloads of the mesh, from files and storage: who is where, who serves what, who speaks HBONE. */

export {
  type EnrolmentStore,
  EnrolmentStoreError,
  fileEnrolment,
  memoryEnrolment,
} from './enrolment/report-store.ts';
export { ReportRefusedError } from './enrolment/reports.ts';
export { selects as selectorMatches } from './indexes/label-index.ts';
export type {
  AddressOwner,
  MeshLabel,
  PortState,
  RegistrySnapshot,
  RegistrySource,
  Service,
  ServicePort,
  ServiceState,
  Sourced,
  Workload,
  WorkloadState,
} from './model.ts';
export { asksForHttp, HTTP_ANNOTATION, keyOf, MESH_LABEL } from './model.ts';
export { Registry, type RegistryOptions } from './registry.ts';
export { portLabel, replicaAt, sameReplica, serviceName, targetPort } from './replicas.ts';
export { readService } from './service.ts';
export {
  DirectorySource,
  type DirectorySourceOptions,
  RegistryFileError,
} from './sources/directory-source.ts';
export { storageSource } from './sources/storage-source.ts';
export { readWorkload } from './workload.ts';
