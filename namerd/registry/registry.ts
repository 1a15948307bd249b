/**
 * All services and workloads of the mesh, merged from several sources, with the indexes that the rest asks by.
 *
 * Invariants: indexes are complete before anybody is told; a change wakes only the watchers of the services,
 * addresses and nodes that it concerns; everything is synchronous, so when a source or a report has been taken
 * in, every watcher knows.
 */

import { type Logger, silentLog } from '#base/log.ts';
import { Cell, type Dispose, type Watchable } from '#base/watch.ts';
import { workloadId } from '#trust';
import { type ObjectStatus, sortStatus } from '../resources/index.ts';
import { type EnrolmentStore, memoryEnrolment } from './enrolment/report-store.ts';
import { Enrolment } from './enrolment/reports.ts';
import { addressConflicts } from './indexes/address-conflicts.ts';
import { Claims } from './indexes/claims.ts';
import { KeyedCells } from './indexes/keyed-cells.ts';
import { LabelIndex, selects } from './indexes/label-index.ts';
import { SetsByKey } from './indexes/sets-by-key.ts';
import {
  type AddressOwner,
  meshLabelOf,
  type RegistrySource,
  type Service,
  type ServiceState,
  type Sourced,
  type Workload,
  type WorkloadState,
} from './model.ts';
import { portState } from './replicas.ts';
import { mergeSnapshots, sameDocument } from './sources/merge.ts';

export interface RegistryOptions {
  /** In order of precedence. */
  sources: readonly RegistrySource[];
  /** '' when workloads have no identities. */
  trustDomain: string;
  enrolment?: EnrolmentStore;
  log?: Logger;
}

/** What a change concerns. */
interface Touched {
  services: Set<string>;
  addresses: Set<string>;
  nodes: Set<string>;
  /** Those whose services' documents changed. */
  namespaces: Set<string>;
}

export class Registry {
  /** What is wrong with documents, and who claims what another has. */
  readonly status = new Cell<readonly ObjectStatus[]>([], sameDocument);
  /** Grows by one after every change that anybody could see. */
  readonly revision = new Cell(0);
  readonly #trustDomain: string;
  readonly #sources: readonly RegistrySource[];
  readonly #enrolment: Enrolment;
  readonly #disposes: Dispose[] = [];

  #services: ReadonlyMap<string, Sourced<Service>> = new Map();
  readonly #serviceStates = new Map<string, ServiceState>();
  readonly #serviceKeys = new SetsByKey();
  readonly #workloads = new Map<string, WorkloadState>();
  #workloadSources: ReadonlyMap<string, Sourced<Workload>> = new Map();
  readonly #workloadsOfNode = new SetsByKey();
  readonly #labels = new LabelIndex();
  readonly #serviceAddresses = new Claims();
  readonly #workloadAddresses = new Claims();
  #duplicates: readonly ObjectStatus[] = [];

  readonly #serviceCells = new KeyedCells(key => this.#serviceStates.get(key));
  readonly #addressCells = new KeyedCells(ip => this.ownerOf(ip), sameOwner);
  readonly #namespaceCells = new KeyedCells(namespace => this.servicesIn(namespace), sameElements);
  readonly #nodeCells = new KeyedCells(node => this.workloadsOn(node), sameElements);

  private constructor({ sources, trustDomain }: RegistryOptions, enrolment: Enrolment) {
    this.#sources = sources;
    this.#trustDomain = trustDomain;
    this.#enrolment = enrolment;
    let started = false;
    for (const { snapshot, status } of sources) {
      this.#disposes.push(snapshot.observe(() => started && this.#takeIn()));
      this.#disposes.push(status.observe(() => started && this.#tellStatus()));
    }
    started = true;
    this.#takeIn();
  }

  /** Reads the kept reports first. @throws EnrolmentStoreError */
  static async open(options: RegistryOptions): Promise<Registry> {
    const { enrolment = memoryEnrolment(), log = silentLog } = options;
    return new Registry(options, await Enrolment.load(enrolment, log));
  }

  close(): void {
    for (const dispose of this.#disposes.splice(0)) dispose();
  }

  /** @param key `<namespace>/<name>` */
  watchService(key: string): Watchable<ServiceState | undefined> {
    return this.#serviceCells.watch(key);
  }

  /** The services of a namespace as they are written, sorted by name: who serves them does not wake their watchers. */
  watchServices(namespace: string): Watchable<readonly Service[]> {
    return this.#namespaceCells.watch(namespace);
  }

  /** @param ip canonical */
  watchAddress(ip: string): Watchable<AddressOwner | undefined> {
    return this.#addressCells.watch(ip);
  }

  /** The workloads on a node, sorted by key. */
  watchNode(node: string): Watchable<readonly WorkloadState[]> {
    return this.#nodeCells.watch(node);
  }

  /** @param key `<namespace>/<name>` */
  workload(key: string): WorkloadState | undefined {
    return this.#workloads.get(key);
  }

  /** All services, sorted by key. */
  services(): ServiceState[] {
    return sorted(this.#serviceStates);
  }

  /** The document alone. @param key `<namespace>/<name>` */
  service(key: string): Service | undefined {
    return this.#services.get(key)?.value;
  }

  /** Sorted by name. */
  servicesIn(namespace: string): Service[] {
    const keys = [...this.#serviceKeys.get(namespace)].sort();
    return keys.flatMap(key => this.#services.get(key)?.value ?? []);
  }

  /** All workloads, sorted by key. */
  workloads(): WorkloadState[] {
    return sorted(this.#workloads);
  }

  workloadsOn(node: string): WorkloadState[] {
    const keys = [...this.#workloadsOfNode.get(node)].sort();
    return keys.flatMap(key => this.#workloads.get(key) ?? []);
  }

  /** Whose address it is; a service goes before a workload. @param ip canonical */
  ownerOf(ip: string): AddressOwner | undefined {
    const service = this.#serviceAddresses.winner(ip);
    const found = service === undefined ? undefined : this.#services.get(service);
    if (found !== undefined) return { type: 'service', service: found.value };
    const workload = this.#workloadAddresses.winner(ip);
    const state = workload === undefined ? undefined : this.#workloads.get(workload);
    return state && { type: 'workload', state };
  }

  /**
   * Replaces what a node proxy reported: the workloads (`<namespace>/<name>`) whose HBONE it terminates. Those
   * that are not on this node have no effect. Resolves when the report is kept and every watcher knows.
   * @throws ReportRefusedError
   */
  setReported(node: string, workloads: readonly string[]): Promise<void> {
    return this.#enrolment.set(node, workloads, changed => {
      const touched = nothingTouched();
      for (const key of changed) {
        const state = this.#workloads.get(key);
        if (state?.workload.node === node) this.#replaceWorkload(key, state, state.workload, touched);
      }
      this.#tell(touched);
    });
  }

  /** The keys that a node proxy reported last. */
  reported(node: string): ReadonlySet<string> {
    return this.#enrolment.of(node);
  }

  // === Taking in ===

  #takeIn(): void {
    const merged = mergeSnapshots(this.#sources.map(({ snapshot }) => snapshot.current));
    const touched = nothingTouched();
    this.#duplicates = merged.duplicates;
    this.#takeInWorkloads(merged.workloads, touched);
    this.#takeInServices(merged.services, touched);
    this.#tell(touched);
    this.#tellStatus();
  }

  #takeInWorkloads(now: ReadonlyMap<string, Sourced<Workload>>, touched: Touched): void {
    for (const [key, old] of [...this.#workloads])
      if (!now.has(key)) this.#replaceWorkload(key, old, undefined, touched);
    for (const [key, { value }] of now) {
      const old = this.#workloads.get(key);
      if (old === undefined || !sameDocument(old.workload, value))
        this.#replaceWorkload(key, old, value, touched);
    }
    this.#workloadSources = now;
  }

  #replaceWorkload(
    key: string,
    old: WorkloadState | undefined,
    now: Workload | undefined,
    touched: Touched,
  ): void {
    if (old !== undefined) this.#forgetWorkload(key, old.workload, touched);
    if (now === undefined) return;
    this.#workloads.set(key, this.#stateOf(key, now));
    this.#labels.add(now);
    this.#workloadsOfNode.add(now.node, key);
    for (const ip of now.addresses) this.#workloadAddresses.add(ip, key);
    this.#touchWorkload(now, touched);
  }

  #forgetWorkload(key: string, old: Workload, touched: Touched): void {
    this.#workloads.delete(key);
    this.#labels.remove(old);
    this.#workloadsOfNode.remove(old.node, key);
    for (const ip of old.addresses) this.#workloadAddresses.remove(ip, key);
    this.#touchWorkload(old, touched);
  }

  #touchWorkload({ namespace, labels, node, addresses }: Workload, touched: Touched): void {
    touched.nodes.add(node);
    for (const ip of addresses) touched.addresses.add(ip);
    for (const key of this.#serviceKeys.get(namespace)) {
      const service = this.#services.get(key)?.value;
      if (service !== undefined && selects(service.selector, labels)) touched.services.add(key);
    }
  }

  #stateOf(key: string, workload: Workload): WorkloadState {
    const mesh = meshLabelOf(workload);
    const { namespace, serviceAccount, node } = workload;
    const identity = this.#trustDomain === '' ? '' : workloadId(this.#trustDomain, namespace, serviceAccount);
    const hbone = mesh === 'enabled' || (mesh === 'unset' && this.#enrolment.has(node, key));
    return { workload, identity, mesh, hbone };
  }

  #takeInServices(now: ReadonlyMap<string, Sourced<Service>>, touched: Touched): void {
    const touch = (key: string, { namespace, addresses }: Service, change: 'add' | 'remove') => {
      this.#serviceKeys[change](namespace, key);
      touched.services.add(key);
      touched.namespaces.add(namespace);
      for (const ip of addresses) {
        this.#serviceAddresses[change](ip, key);
        touched.addresses.add(ip);
      }
    };
    for (const [key, { value: old }] of this.#services) {
      const next = now.get(key)?.value;
      if (next === undefined || !sameDocument(old, next)) touch(key, old, 'remove');
    }
    for (const [key, { value }] of now) {
      const old = this.#services.get(key)?.value;
      if (old === undefined || !sameDocument(old, value)) touch(key, value, 'add');
    }
    this.#services = now;
  }

  // === Telling ===

  #tell(touched: Touched): void {
    for (const key of touched.services) this.#computeService(key);
    this.#serviceCells.refresh(touched.services);
    this.#addressCells.refresh(touched.addresses);
    this.#nodeCells.refresh(touched.nodes);
    this.#namespaceCells.refresh(touched.namespaces);
    const { services, addresses, nodes } = touched;
    if (services.size + addresses.size + nodes.size > 0) this.revision.set(this.revision.current + 1);
  }

  #computeService(key: string): void {
    const service = this.#services.get(key)?.value;
    const before = this.#serviceStates.get(key);
    if (service === undefined) {
      this.#serviceStates.delete(key);
      return;
    }
    const selected = this.#labels
      .selected(service.namespace, service.selector)
      .flatMap(workload => this.#workloads.get(workload) ?? []);
    const ports = service.ports.map((port, i) => portState(port, selected, before?.ports[i]));
    const unchanged =
      before !== undefined && sameDocument(before.service, service) && sameElements(before.ports, ports);
    this.#serviceStates.set(key, unchanged ? before : { service, ports });
  }

  #tellStatus(): void {
    const ofSources = this.#sources.flatMap(({ status }) => status.current);
    const conflicts = addressConflicts(
      { addresses: this.#serviceAddresses, documents: this.#services },
      { addresses: this.#workloadAddresses, documents: this.#workloadSources },
    );
    this.status.set(sortStatus([...ofSources, ...this.#duplicates, ...conflicts]));
  }
}

function nothingTouched(): Touched {
  return { services: new Set(), addresses: new Set(), nodes: new Set(), namespaces: new Set() };
}

function sorted<T>(all: ReadonlyMap<string, T>): T[] {
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function sameOwner(a: AddressOwner | undefined, b: AddressOwner | undefined): boolean {
  if (a === b) return true;
  if (a?.type === 'service' && b?.type === 'service') return a.service === b.service;
  return a?.type === 'workload' && b?.type === 'workload' && a.state === b.state;
}

function sameElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
