/** What routing, authorization and classification read of a request, whatever protocol carries it. */

export interface RequestView {
  readonly method: string;
  /** Path with query, as sent: `/a/b?c=d`, or `*` for OPTIONS. */
  readonly path: string;
  /** Host header or :authority, as sent. */
  readonly authority: string;
  /** @param name lower case. Several fields of that name are joined by `, ` (RFC 9110 §5.3). */
  header(name: string): string | undefined;
}

/** A request that a codec carries. */
export interface CarriedRequest extends RequestView {
  /** Some field is one that only the mesh may set: `l5d-*`, `x-forwarded-client-cert`. */
  readonly reserved: boolean;
  /** Bytes of its head. */
  readonly size: number;
}

/**
 * Changes to a head, prepared once per rule in the forms that the protocols need, so that nothing is built per
 * request.
 */
export interface HeaderEdits {
  /** Lower-case names of fields that are left out. */
  readonly drop: ReadonlySet<string>;
  /** Fields that are added, as HTTP/1.1 lines, each with its CRLF. */
  readonly lines: string;
  /** The same for HTTP/2, names in lower case. */
  readonly fields: readonly (readonly [string, string])[];
}
