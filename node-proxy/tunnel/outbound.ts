/**
 * Port 15001: connections that a pod opens. Original destination → whose is it → does it ask for HTTP? → pick an
 * endpoint → connect → relay. A failed connect is tried on other endpoints: no byte was sent yet.
 */

import { formatEndpoint } from '#base/net.ts';
import type { Endpoint, NoEndpoint } from '../balance/index.ts';
import type { Target } from '../resolve/index.ts';
import { admit } from './accept.ts';
import { Connector } from './connector.ts';
import type { WorkerContext } from './context.ts';
import { dial } from './dial.ts';
import { blamesEndpoint, ConnectionRefused, refusalOf } from './failure.ts';
import { OUTBOUND_PORT } from './hbone/wire.ts';
import { callerOf } from './inbound/enter.ts';
import { callHttp } from './inbound/http-call.ts';
import type { Incoming } from './incoming.ts';
import type { LocalPod } from './local-pod.ts';
import { Connection } from './relay/connection.ts';
import type { FlowLabels } from './relay/flow.ts';
import { type Side, sideOf } from './relay/side.ts';

type Balanced = Extract<Target, { kind: 'service' | 'workload' }>;

export class Outbound {
  readonly connector: Connector;
  readonly #pod: LocalPod;
  readonly #context: WorkerContext;

  constructor(pod: LocalPod, context: WorkerContext) {
    this.#pod = pod;
    this.#context = context;
    this.connector = new Connector(pod, context);
  }

  async receive(incoming: Incoming): Promise<void> {
    const { original } = incoming;
    const destination = original === undefined ? '' : formatEndpoint(original.ip, original.port);
    const connection = this.#begin(incoming, destination);
    try {
      admit(this.#pod, 'outbound', this.#context.limits);
      if (original === undefined || this.#isOwn(original.ip, original.port)) {
        throw new ConnectionRefused(
          'no_original_destination',
          'nothing redirected this connection to the capture port',
        );
      }
      const target = this.#context.resolver.known(destination) ?? (await this.#resolve(destination));
      connection.mustGoOn();
      if (target.kind === 'refused')
        throw new ConnectionRefused(target.reason, `${destination}: ${target.message}`);
      if (target.kind === 'foreign') {
        connection.labels.security = 'plaintext';
        connection.attempts = 1;
        const upstream = await dial(this.#pod.netns, original, this.#context.limits.connectTimeoutMs);
        connection.establish(sideOf(incoming.open()), sideOf(upstream));
        return;
      }
      if (target.kind === 'service' && target.http !== undefined)
        return this.#asHttp(target, incoming, destination, connection);
      await this.#balance(target, connection, incoming, undefined);
    } catch (error) {
      connection.refused(refusalOf(error, 'outbound'));
      incoming.reset();
    }
  }

  #begin({ source }: Incoming, destination: string): Connection {
    const pod = this.#pod;
    return new Connection(this.#context, {
      direction: 'outbound',
      pod,
      source: { ip: pod.ownAddress(source.ip), port: source.port },
      destination,
      labels: emptyLabels(pod),
    });
  }

  /** The service asks for HTTP: for who understands it, here or in another thread. */
  #asHttp(
    target: Extract<Target, { kind: 'service' }>,
    incoming: Incoming,
    destination: string,
    connection: Connection,
  ): void {
    const { http } = this.#context;
    const pod = this.#pod;
    if (http === undefined) return this.#handOver(incoming, connection);
    connection.handedOver();
    http.outbound({
      pod,
      source: connection.source,
      destination,
      target,
      connector: this.connector,
      open: reader => incoming.open(reader),
      relay: client => void this.#relay(target, incoming, destination, client),
    });
  }

  /** After all bytes only: what was read already the client delivers first. */
  async #relay(target: Balanced, incoming: Incoming, destination: string, client: Side): Promise<void> {
    const connection = this.#begin(incoming, destination);
    try {
      await this.#balance(target, connection, incoming, client);
    } catch (error) {
      connection.refused(refusalOf(error, 'outbound'));
      client.reset();
    }
  }

  /**
   * Tries endpoints until one accepts; only failures that promise an untouched connection are tried again.
   * @param client what to read from, if it was opened already.
   */
  async #balance(
    target: Balanced,
    connection: Connection,
    incoming: Incoming,
    client: Side | undefined,
  ): Promise<void> {
    const { clock, random, limits } = this.#context;
    if (target.kind === 'service') connection.labels.destinationService = target.service;
    const branch = target.picker.pick(random);
    if ('none' in branch) throw new ConnectionRefused(branch.none, NOTHING[branch.none]);
    const tried: Endpoint[] = [];
    let last: ConnectionRefused | undefined;
    while (tried.length < limits.attempts) {
      const startMs = clock.monotonic();
      const endpoint = branch.picker.pick(tried, startMs, random);
      if (endpoint === undefined) break;
      if (this.connector.local(endpoint)?.http !== undefined)
        return this.#intoHttpPod(endpoint, connection, incoming, client);
      tried.push(endpoint);
      connection.attempts = tried.length;
      endpoint.accrual.trying(startMs);
      try {
        const upstream = sideOf(await this.connector.connect(endpoint, connection));
        const nowMs = clock.monotonic();
        endpoint.connected(nowMs - startMs, nowMs);
        connection.establish(client ?? sideOf(incoming.open()), upstream, endpoint);
        return;
      } catch (error) {
        last = refusalOf(error, endpoint.replica.address);
        if (!this.#blame(endpoint, last)) throw last;
      }
    }
    throw last ?? new ConnectionRefused('no_endpoints', NOTHING.no_endpoints);
  }

  /** A pod of this node that asks for HTTP: the connection goes in by its door for that. */
  #intoHttpPod(
    endpoint: Endpoint,
    connection: Connection,
    incoming: Incoming,
    client: Side | undefined,
  ): void {
    const { http } = this.#context;
    const pod = this.connector.local(endpoint) as LocalPod;
    this.connector.checkIdentity(endpoint, pod);
    if (http === undefined) return this.#handOver(incoming, connection);
    const { source, labels, start } = connection;
    labels.reporter = 'both';
    labels.security = 'same_node';
    labels.destinationWorkload = pod.who.workload;
    labels.destinationIdentity = pod.who.identity;
    connection.handedOver();
    callHttp(http, {
      pod,
      caller: callerOf(this.#pod, source.ip),
      ip: endpoint.ip,
      port: endpoint.port,
      connection: () => new Connection(this.#context, start),
      open: reader => client ?? incoming.open(reader),
      accepted: () => {},
      reset: () => (client === undefined ? incoming.reset() : client.reset()),
    });
  }

  #handOver(incoming: Incoming, connection: Connection): void {
    const { handOver } = this.#context;
    if (handOver === undefined)
      throw new ConnectionRefused('no_policy_worker', 'nobody here understands HTTP');
    connection.handedOver();
    incoming.handOver(handOver, 'outbound', this.#pod.who.id);
  }

  /** Says to the endpoint's record what happened. @returns whether another endpoint may be tried. */
  #blame({ accrual }: Endpoint, { reason }: ConnectionRefused): boolean {
    const nowMs = this.#context.clock.monotonic();
    if (reason === 'policy') {
      // It answered, and its answer stands: asking a sibling until one says yes would be a way around.
      accrual.succeeded();
      return false;
    }
    if (blamesEndpoint(reason)) accrual.failed(nowMs);
    else accrual.abandoned(nowMs);
    return blamesEndpoint(reason) || reason === 'tunnel_gone';
  }

  async #resolve(destination: string): Promise<Target> {
    const target = await this.#context.resolver.resolve(destination);
    if (target !== undefined) return target;
    if (this.#context.whenUnresolved === 'passthrough') return { kind: 'foreign' };
    throw new ConnectionRefused('unresolved', `namerd did not say whose ${destination} is`);
  }

  /** Somebody inside the pod connected to the capture port itself. */
  #isOwn(ip: string, port: number): boolean {
    return (
      port === OUTBOUND_PORT && (this.#pod.who.ips.includes(ip) || ip === '::1' || ip.startsWith('127.'))
    );
  }
}

const NOTHING: Record<NoEndpoint, string> = {
  unbound: 'the name is bound to nothing (negative or failed by the dtab)',
  no_endpoints: 'the name is bound, but nothing is there',
  binding_failed: 'the replica set could not be found out',
  exhausted: 'every endpoint was tried',
};

function emptyLabels({ who }: LocalPod): FlowLabels {
  return {
    reporter: 'source',
    sourceWorkload: who.workload,
    sourceIdentity: who.identity,
    destinationWorkload: '',
    destinationIdentity: '',
    destinationService: '',
    security: '',
  };
}
