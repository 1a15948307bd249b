/** What the data path says about itself. The data path defines it; observe/ counts and writes it. */

import type { Reason } from '../failure.ts';
import type { RelayEnd } from './relay.ts';

/** How the bytes travelled between the nodes. */
export type Security = 'mutual_tls' | 'same_node' | 'plaintext';

/** Unknown parts are ''. */
export interface FlowLabels {
  /** Whose view: `both` when one proxy is at both ends. */
  reporter: 'source' | 'destination' | 'both';
  sourceWorkload: string;
  sourceIdentity: string;
  destinationWorkload: string;
  destinationIdentity: string;
  /** `<namespace>/<service>`, when the client named a service. */
  destinationService: string;
  security: Security | '';
}

/** The counters of one edge, resolved once per connection and then only added to. */
export interface Edge {
  sentBytes: number;
  receivedBytes: number;
  /** @param connectMs from accept to both sides connected. */
  opened(connectMs: number): void;
  closed(): void;
}

export interface EdgeTable {
  /** One edge per reporter. */
  flow(labels: FlowLabels): Edge[];
  refused(labels: FlowLabels, reason: Reason): void;
}

/** One line of the access log. */
export interface AccessEntry {
  direction: 'outbound' | 'inbound';
  source: { address: string; workload: string; identity: string };
  destination: { address: string; endpoint?: string; service: string; workload: string; identity: string };
  security: Security | '';
  sentBytes: number;
  receivedBytes: number;
  /** Milliseconds until both sides were connected; 0 if they never were. */
  connectMs: number;
  durationMs: number;
  attempts: number;
  end: RelayEnd | 'refused';
  reason?: Reason;
  error?: string;
  /** The policy rule that decided. */
  rule?: string;
  audits?: readonly string[];
}
