/** What is known of a connection or a request when it is judged, and what was decided. Types only. */

/** What a rule can ask about a request. The path and the host must have been made normal: they are compared as texts. */
export interface RequestFacts {
  readonly method: string;
  /** As {@link normalPath} gives it. */
  readonly path: string;
  /** As {@link normalHost} gives it. */
  readonly host: string;
  /** @param name lower case. Several fields of that name are joined by `, ` (RFC 9110 §5.3). */
  header(name: string): string | undefined;
}

export interface Caller {
  /** SPIFFE id, or '' for plaintext callers. */
  identity: string;
  /** Namespace of that identity, or ''. */
  namespace: string;
  /** Source address as bytes (see ipBytes). */
  ip: Uint8Array;
  /** The workload's own port. */
  port: number;
  /** Undefined while bytes are judged that are not, or not yet, HTTP. May be set anew for each request. */
  request?: RequestFacts;
}

export interface Decision {
  readonly allowed: boolean;
  /** `<policy>[<rule>]`, `default`, or `no-allow-matched`: what the access log shows. */
  readonly rule: string;
  /** AUDIT policies that matched. */
  readonly audits: readonly string[];
}
