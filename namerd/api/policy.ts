/**
 * Authorization as namerd compiles it from `AuthorizationPolicy` documents and node proxies enforce it.
 * Semantics: DENY before ALLOW; no ALLOW policy for a workload means allow; AUDIT only logs.
 */

export type PolicyAction = 'ALLOW' | 'DENY' | 'AUDIT';

export interface Policy {
  /** `<namespace>/<name>`; what the access log names. */
  id: string;
  action: PolicyAction;
  /** The policy matches when any rule matches; without rules it never matches. */
  rules: readonly PolicyRule[];
}

/** Matches when one of `from` and one of `to` match; an empty list matches everything. */
export interface PolicyRule {
  from: readonly SourceMatch[];
  to: readonly TargetMatch[];
}

/** All given fields must match; within a field any entry; `not…` fields must match no entry. */
export interface SourceMatch {
  /** SPIFFE ids: exact, `prefix*`, `*suffix`, or `*` for any authenticated identity. */
  identities?: readonly string[];
  notIdentities?: readonly string[];
  /** Namespaces of the source identity: exact, `prefix*`, `*suffix`. */
  namespaces?: readonly string[];
  notNamespaces?: readonly string[];
  /** CIDR blocks or single addresses of the connection's source. */
  ipBlocks?: readonly string[];
  notIpBlocks?: readonly string[];
}

/**
 * What is asked for. The HTTP fields fit requests only: for bytes that are not HTTP an ALLOW or AUDIT rule with
 * such a field does not match, and a DENY rule matches by its other fields, so that both fail closed. What a rule
 * refuses it refuses in every spelling that a server may take for it (case of methods, paths and header values, merged
 * slashes, a last slash, escapes, path parameters); what it allows it allows as it is written. Where rules ask for
 * paths, a path that servers disagree about (dot segments, `%2F`, `\`, a leading `//`) is answered with 400.
 */
export interface TargetMatch {
  /** Ports of the workload (after any service port mapping), 1 to 65535. */
  ports?: readonly number[];
  notPorts?: readonly number[];
  /** Methods as in the request line, exact; for gRPC always POST. */
  methods?: readonly string[];
  notMethods?: readonly string[];
  /** Paths without query, normalised: exact, `prefix*`, `*suffix`. For gRPC `/<service>/<method>`. */
  paths?: readonly string[];
  notPaths?: readonly string[];
  /** Host or :authority without port, lower case: exact, `prefix*`, `*suffix`. */
  hosts?: readonly string[];
  notHosts?: readonly string[];
  headers?: readonly HeaderCondition[];
}

/** One header. Without `values` and `notValues`: it must be there. */
export interface HeaderCondition {
  /** Lower case. */
  name: string;
  /** Exact, `prefix*`, `*suffix`, `*`. */
  values?: readonly string[];
  notValues?: readonly string[];
}

/** What a workload does with plaintext from callers outside the mesh. */
export type TransportMode = 'strict' | 'permissive';

export interface Transport {
  mode: TransportMode;
  /** Exceptions by workload port, as decimal text. */
  ports: Readonly<Record<string, TransportMode>>;
}
