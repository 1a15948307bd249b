/**
 * Trace contexts of requests, for the access log. Requests carry W3C `traceparent` and `tracestate`, or B3 headers
 * (one or several), and the proxy passes all of them on untouched, malformed ones too: the application continues
 * the trace, and the spans before and after the mesh belong together. Nothing here changes a request.
 *
 * Spans of the proxy's own are not made. Whoever adds an exporter finds all that a span needs where access log lines
 * are written (`RequestEntry`: times, labels, status, this context as the parent); only then would a request be
 * sent on with another parent.
 */

export interface TraceContext {
  /** 32 lower-case hexadecimal digits; shorter B3 ids are filled up with zeros. */
  traceId: string;
  /** 16 lower-case hexadecimal digits: the caller's span. */
  spanId: string;
  /** Undefined: the caller left the decision to others (B3). */
  sampled: boolean | undefined;
}

/** W3C Trace Context §3.2.2; later versions may go on after the flags. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
/** B3 in one header: ids, then whether it is sampled (`d` = debug), then perhaps the parent. */
const B3 = /^([\dA-Fa-f]{16}|[\dA-Fa-f]{32})-([\dA-Fa-f]{16})(?:-([01d])(?:-[\dA-Fa-f]{16})?)?$/;
const TRACE_ID = /^(?:[\dA-Fa-f]{16}|[\dA-Fa-f]{32})$/;
const SPAN_ID = /^[\dA-Fa-f]{16}$/;
const NOTHING = /^0+$/;

/** Undefined for what is not valid: then the request has no context. */
export function readTraceparent(text: string): TraceContext | undefined {
  if (text.length < 55) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (NOTHING.test(traceId) || NOTHING.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/**
 * The context of a request: W3C's first, as it is the standard.
 * @param header fields by lower-case name.
 */
export function traceOf(header: (name: string) => string | undefined): TraceContext | undefined {
  const traceparent = header('traceparent');
  const w3c = traceparent === undefined ? undefined : readTraceparent(traceparent);
  if (w3c !== undefined) return w3c;
  const b3 = header('b3');
  return b3 === undefined ? readB3Fields(header) : readB3(b3);
}

function readB3(text: string): TraceContext | undefined {
  const [, traceId, spanId, sampled] = B3.exec(text) ?? [];
  return fromB3(traceId, spanId, sampled);
}

function readB3Fields(header: (name: string) => string | undefined): TraceContext | undefined {
  const traceId = header('x-b3-traceid');
  const spanId = header('x-b3-spanid');
  if (traceId === undefined || spanId === undefined) return undefined;
  if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return undefined;
  return fromB3(traceId, spanId, header('x-b3-flags') === '1' ? 'd' : header('x-b3-sampled'));
}

function fromB3(
  traceId: string | undefined,
  spanId: string | undefined,
  sampled: string | undefined,
): TraceContext | undefined {
  if (traceId === undefined || spanId === undefined) return undefined;
  if (NOTHING.test(traceId) || NOTHING.test(spanId)) return undefined;
  return {
    traceId: traceId.toLowerCase().padStart(32, '0'),
    spanId: spanId.toLowerCase(),
    sampled: decisionOf(sampled),
  };
}

/** Old senders write `true` and `false`. */
function decisionOf(sampled: string | undefined): boolean | undefined {
  if (sampled === '1' || sampled === 'd' || sampled === 'true') return true;
  return sampled === '0' || sampled === 'false' ? false : undefined;
}
