/** Names and values of HTTP fields (RFC 9110 §5), and which of them are not for users to change. */

const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const MAX_NAME = 256;
/** Printable ASCII with blanks and tabs inside: nothing that a proxy on the way could read differently. */
const VALUE = /^[!-~](?:[\t -~]*[!-~])?$/;
const MAX_VALUE = 4_096;

/** What frames a message or belongs to one connection (RFC 9110 §7.6.1, RFC 9112 §6). */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is wrong with the text as the name of a header or of a parameter; undefined if nothing. */
export function headerNameProblem(text: string): string | undefined {
  if (text.length <= MAX_NAME && TOKEN.test(text)) return undefined;
  return `'${text.slice(0, 80)}' is no name of a header: letters, digits and !#$%&'*+-.^_\`|~, at most ${MAX_NAME}`;
}

/** As {@link headerNameProblem}, for a header that the mesh is to change. */
export function changedHeaderProblem(text: string): string | undefined {
  const problem = headerNameProblem(text);
  if (problem !== undefined) return problem;
  const name = text.toLowerCase();
  if (name === 'host') return "'host' is changed by a URLRewrite filter with a hostname only";
  if (FRAMING.has(name)) return `'${name}' belongs to the connection and can't be changed`;
  if (name.startsWith('l5d-') || name === 'x-forwarded-client-cert')
    return `'${name}' is the mesh's own and can't be changed`;
  return undefined;
}

export function headerValueProblem(text: string): string | undefined {
  if (text === '') return 'a value has at least one character';
  if (text.length > MAX_VALUE) return `${text.length} characters: at most ${MAX_VALUE}`;
  if (VALUE.test(text)) return undefined;
  return 'a value is printable ASCII: no line breaks, no other control characters, no blanks at its ends';
}
