/** Our own answers: refusals, redirects, errors. Rare, so that safety comes before speed. */

const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  200: 'OK',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/**
 * @param headers values may hold what a client sent: characters that a field can't have become `?`.
 * @param body sent as UTF-8; the caller leaves it out of the answer to HEAD by {@link withoutBody}.
 * @returns the whole message, one character per byte. Content-Length is set; Date is left out, as for all
 * that passes through.
 */
export function simpleResponse(
  status: number,
  headers: readonly (readonly [string, string])[],
  body: string,
  close: boolean,
): string {
  const bytes = Buffer.from(body).toString('latin1');
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n`;
  for (const [name, value] of headers)
    head += `${name}: ${value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')}\r\n`;
  const bodiless = status < 200 || status === 204 || status === 304;
  if (!bodiless) head += `Content-Length: ${bytes.length}\r\n`;
  if (close) head += 'Connection: close\r\n';
  return `${head}\r\n${bodiless ? '' : bytes}`;
}

/** The head of an answer of ours, for HEAD. */
export function withoutBody(response: string): string {
  return response.slice(0, response.indexOf('\r\n\r\n') + 4);
}
