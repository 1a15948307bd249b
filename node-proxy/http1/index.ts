/**
 * HTTP/1.1 (RFC 9110, RFC 9112) as pure code without sockets: strict, streaming, and made for passing messages
 * on. Whatever two readers could understand differently is refused; everything else goes on as it came.
 *
 * Stricter than most, on purpose: no bare CR or LF, no obs-fold, no chunk extensions, no second Content-Length even
 * when equal, no coding but chunked, no Host with user, percent or comma, no `https:` or fragment in a target, no
 * backslash in a path, no CONNECT, no framing or routing field in Connection or in trailers, no framing name
 * written with `_`, no interim response that closes. An upgrade to another HTTP or TLS, or with a body, is
 * ignored. One empty line may come before a request; methods may have any name.
 */

export { Http1Error, type Http1Reason, type MessageSide } from './error.ts';
export { checkHost } from './head/authority.ts';
export { mayBeTrailer } from './head/known-fields.ts';
export {
  CHUNKED,
  type Framing,
  HAS_EXPECT,
  HAS_HOP,
  HAS_RESERVED,
  LENGTH,
  type MessageHead as Head,
  NO_BODY,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from './head/message-head.ts';
export { HTTP1_LIMITS, type Http1Limits } from './limits.ts';
export { canPassAsIs, forwardRequest, forwardResponse, type HeaderEdits } from './render/forward.ts';
export { simpleResponse, withoutBody } from './render/simple-response.ts';
export { RequestParser } from './request-parser.ts';
export { ResponseParser } from './response-parser.ts';
