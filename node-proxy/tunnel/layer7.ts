/**
 * The seam to HTTP. A tunnel worker hands connections over that ask for HTTP, before it has read a byte; a
 * policy worker takes them and gives those that are HTTP to `policy/`, which implements {@link HttpHooks}.
 * Types only: nothing here, or anywhere in `tunnel/`, loads `policy/`.
 */

import type { Socket } from 'node:net';
import type { Endpoint as Address } from '#base/net.ts';
import type { Target } from '../resolve/index.ts';
import type { SocketReader } from './accept.ts';
import type { Connector } from './connector.ts';
import type { InboundCaller } from './inbound/enter.ts';
import type { LocalPod } from './local-pod.ts';
import type { FlowLabels } from './relay/flow.ts';
import type { Side } from './relay/side.ts';

/** An accepted connection on its way to a policy worker: plain data; the descriptor travels beside it. */
export interface HandedConnection {
  door: 'outbound' | 'plain' | 'hbone';
  /** Id of the pod whose listener accepted. */
  pod: string;
  source: Address;
  /** Where it wanted to go before it was redirected; undefined for `hbone`. */
  original: Address | undefined;
}

/** Gives the descriptor away; it belongs to the receiver from now on. Never throws. */
export type HandOver = (fd: number, connection: HandedConnection) => void;

/** A pod's connection to a service that asks for HTTP. */
export interface OutboundCall {
  pod: LocalPod;
  source: Address;
  /** Canonical `ip:port` that the client connected to. */
  destination: string;
  target: Extract<Target, { kind: 'service' }>;
  /** The pod's way to endpoints. */
  connector: Connector;
  /** The client's socket, made when it is known how it is to be read: paused, or with a reader. Once. */
  open(reader?: SocketReader): Socket;
  /** Carries it as bytes, for it is not HTTP after all. What was read already `client` delivers first. */
  relay(client: Side): void;
}

/** A caller's connection to a pod that asks for HTTP: through a tunnel, in plaintext, or from within the node. */
export interface InboundCall {
  pod: LocalPod;
  caller: InboundCaller;
  /** Canonical `ip:port` of the caller. */
  source: string;
  /** The pod's address and port that are meant. */
  ip: string;
  port: number;
  labels: FlowLabels;
  /** What it is read from; sockets paused, or with the reader. Once. */
  open(reader?: SocketReader): Socket | Side;
  /** Tells the caller that the application has accepted. Before anything is written. */
  accepted(): void;
  /** Ends it, refused, with a reason in the log; before {@link InboundCall.accepted}. */
  refuse(error: unknown): void;
  /** Carries it as bytes, if the policies allow that. `app` is connected to the application, and closed if they don't. */
  relay(client: Side, app: Side): void;
}

export interface HttpHooks {
  outbound(call: OutboundCall): void;
  inbound(call: InboundCall): void;
}
