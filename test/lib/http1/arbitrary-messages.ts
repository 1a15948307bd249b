/**
 * HTTP/1.1 conversations for fuzzing: mostly right, with everything wrong in them that is known to divide
 * readers, and a few bytes changed at the end.
 */

import fc from 'fast-check';

const weighted = (usual: readonly string[], odd: readonly string[]) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );

const EOL = weighted(['\r\n'], ['\n', '\r', '\r\r\n', '\n\r', '\r\n ', ' \r\n']);
const METHOD = weighted(
  ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'],
  ['PATCH', 'CONNECT', 'G T', '', 'TRACE'],
);
const TARGET = weighted(
  ['/', '/a/b?c=d', '/%41', '*', 'http://a/x', 'http://a?y'],
  [
    '',
    'a',
    '/a b',
    '/a#b',
    '/\\',
    '/\xe4',
    '/\x7f',
    'http://b/',
    'http://u@a/',
    'https://a/',
    '//',
    '/?\\',
    'a:1',
  ],
);
const VERSION = weighted(
  ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'],
  ['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 ', ' HTTP/1.1', 'HTTP/11', 'HTTP/1.'],
);
const SPACE = weighted([' '], ['  ', '\t', '']);
const NAME = weighted(
  [
    'Host',
    'host',
    'Content-Length',
    'content-length',
    'Transfer-Encoding',
    'transfer-encoding',
    'Connection',
    'Upgrade',
    'Expect',
    'TE',
    'Trailer',
    'Keep-Alive',
    ...Array.from({ length: 12 }, (_, index) => `X-${'ABCD'[index % 4]}`),
  ],
  ['Content_Length', 'X A', '', 'X\x00', 'X(', ' X', '\xe4', 'Transfer-Encoding ', 'l5d-x', 'HTTP2-Settings'],
);
const SEPARATOR = weighted([': ', ':'], [' : ', ':\t ', '\t:', '', '::', ':\r\n ']);
const VALUE = weighted(
  [
    'a',
    '0',
    '3',
    '5',
    'chunked',
    'keep-alive',
    'close',
    'upgrade',
    '100-continue',
    'websocket',
    'trailers',
    '',
  ],
  [
    '5, 5',
    '+5',
    '0x5',
    '05',
    '5 ',
    '5 5',
    'Chunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    '\x0bchunked',
    '"chunked"',
    'a\x00b',
    'a\x7fb',
    '\xe4',
    'a\tb',
    'a, b',
    'host',
    'a:x',
    'h2c',
    'a\rb',
    '99999999999999999999',
  ],
);

const FIELD = fc.tuple(NAME, SEPARATOR, VALUE, EOL).map(parts => parts.join(''));

const CHUNK_SIZE = weighted(
  ['3', '5', 'a', '0', '0', '00'],
  [
    '0x3',
    '3 ',
    ' 3',
    '3;x',
    '3;x=y',
    '+3',
    '-1',
    '',
    'g',
    '3\t',
    '10000000000000000',
    'ffffffffffffffff',
    '3_0',
  ],
);
const DATA = weighted(['abc', 'hello', '0123456789', ''], ['ab', 'abcd', '0\r\n\r\n', 'GET / HTTP/1.1\r\n']);
const TRAILER = weighted(
  ['', '', 'X-Sum: 1\r\n'],
  [
    'Content-Length: 5\r\n',
    'Host: b\r\n',
    'X : y\r\n',
    'X\r\n',
    'X: y\n',
    'Transfer-Encoding: chunked\r\n',
    ' X: y\r\n',
  ],
);
const CHUNKS = fc
  .tuple(fc.array(fc.tuple(CHUNK_SIZE, EOL, DATA, EOL), { maxLength: 3 }), TRAILER, EOL)
  .map(([chunks, trailer, end]) => `${chunks.flat().join('')}0\r\n${trailer}${end}`);
const BODY = fc.oneof(fc.constant(''), CHUNKS, DATA);

/** A body that fits, so that much of what is generated gets past the head. */
const RIGHT = fc.oneof(
  DATA.map(data => `Content-Length: ${data.length}\r\n\r\n${data}`),
  fc
    .array(fc.constantFrom('abc', 'hello', '0123456789ab'), { maxLength: 3 })
    .map(chunks => chunks.map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join(''))
    .map(chunks => `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`),
  CHUNKS.map(chunks => `Transfer-Encoding: chunked\r\n\r\n${chunks}`),
  fc.constant('\r\n'),
);

const REQUEST_LINE = fc.tuple(METHOD, SPACE, TARGET, SPACE, VERSION, EOL).map(parts => parts.join(''));

const GOOD_REQUEST = fc
  .tuple(
    METHOD,
    fc.constantFrom('/', '/a?b', 'http://a/', '*'),
    fc.constantFrom('1', '1', '1', '0'),
    fc.array(FIELD, { maxLength: 2 }),
    RIGHT,
  )
  .map(
    ([method, target, minor, fields, rest]) =>
      `${method} ${target} HTTP/1.${minor}\r\nHost: a\r\n${fields.join('')}${rest}`,
  );

const REQUEST = fc.oneof(
  { weight: 4, arbitrary: GOOD_REQUEST },
  {
    weight: 2,
    arbitrary: fc
      .tuple(REQUEST_LINE, fc.array(FIELD, { maxLength: 4 }), EOL, BODY)
      .map(([line, fields, end, body]) => line + fields.join('') + end + body),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(weighted(['\r\n'], ['\n', '\r\n\r\n', ' ', '\x00']), DATA)
      .map(([end, rest]) => end + rest),
  },
);

const STATUS_LINE = fc
  .tuple(
    VERSION,
    SPACE,
    weighted(['200', '204', '304', '404', '100', '103'], ['101', '2000', '20', '099', 'x', '', '600', '+20']),
    weighted([' OK', ' ', '', ' Not Found'], ['  ', '\tX', ' \xe4', ' \x00', ' \x7f']),
    EOL,
  )
  .map(parts => parts.join(''));

const RESPONSE = fc.oneof(
  fc
    .tuple(fc.constantFrom('200 OK', '204 N', '304 N', '500 \xe4'), fc.array(FIELD, { maxLength: 2 }), RIGHT)
    .map(([status, fields, rest]) => `HTTP/1.1 ${status}\r\n${fields.join('')}${rest}`),
  fc
    .tuple(STATUS_LINE, fc.array(FIELD, { maxLength: 4 }), EOL, BODY)
    .map(([line, fields, end, body]) => line + fields.join('') + end + body),
);

/** Bytes put in, taken out or replaced: [place from 0 to 1, how many are taken out, what is put in]. */
const MUTATIONS = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.tuple(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(2),
        fc.oneof(
          fc.constantFrom('', '\r', '\n', '\r\n', ' ', '\t', ':', ';', ',', '\x00', '0', '\xff', '_'),
          fc.nat(255).map(byte => String.fromCharCode(byte)),
        ),
      ),
      { maxLength: 3 },
    ),
  },
);

function mutated(text: string, mutations: readonly (readonly [number, number, string])[]): string {
  return mutations.reduce((current, [place, out, put]) => {
    const at = Math.floor(place * current.length);
    return current.slice(0, at) + put + current.slice(at + out);
  }, text);
}

/** One byte per character. */
export const arbitraryRequests: fc.Arbitrary<string> = fc
  .tuple(fc.array(REQUEST, { minLength: 1, maxLength: 3 }), MUTATIONS)
  .map(([requests, mutations]) => mutated(requests.join(''), mutations));

export const arbitraryResponses: fc.Arbitrary<string> = fc
  .tuple(fc.array(RESPONSE, { minLength: 1, maxLength: 2 }), MUTATIONS)
  .map(([responses, mutations]) => mutated(responses.join(''), mutations));

/** Where to cut `bytes`: anywhere, or everywhere. */
export const arbitraryCuts: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(fc.nat(300), { maxLength: 6 }),
  fc.constant(Array.from({ length: 2000 }, (_, index) => index)),
);
