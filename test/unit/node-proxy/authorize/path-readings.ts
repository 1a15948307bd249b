/**
 * What servers make of a request target before they look for a handler: models of their documented behaviour, for
 * attacks on path rules. Undefined = refused. Each is meant to be as lenient as the server is anywhere configured.
 */

export type Reading = (target: string) => string | undefined;

export const PATH_READINGS: Readonly<Record<string, Reading>> = {
  'nginx: decodes, merges, resolves': target => resolved(merged(unescaped(cut(target, /[?#]/)))),
  'nginx with merge_slashes off': target => resolved(unescaped(cut(target, /[?#]/))),
  'Apache: merges, refuses encoded slashes': target =>
    /%2f/i.test(target) ? undefined : resolved(merged(unescaped(cut(target, /\?/)))),
  'Apache rewriting: a decoded ? ends the path': target =>
    resolved(merged(cutDecoded(unescaped(cut(target, /\?/))))),
  'Tomcat, Jetty: parameters first, then decodes, merges, resolves': target =>
    resolved(merged(unescaped(cut(target, /\?/).replace(/;[^/]*/g, '')))),
  'Tomcat with encoded separators: decodes, parameters, `\\`': target =>
    resolved(
      merged(
        unescaped(cut(target, /\?/))
          ?.replaceAll('\\', '/')
          .replace(/;[^/]*/g, ''),
      ),
    ),
  'Spring MVC: parameters, no merging, last slash ignored': target =>
    withoutLastSlash(unescaped(cut(target, /\?/).replace(/;[^/]*/g, ''))),
  'Express: as sent, case and last slash ignored': target =>
    withoutLastSlash(cut(target, /[?#]/).toLowerCase()),
  'Node.js with the URL class': target => urlPath(target),
  'Node.js with the URL class, decoded': target => unescaped(urlPath(target)),
  'Go handler: decoded, as it is': target => unescaped(cut(target, /\?/)),
  'Go ServeMux: decoded, cleaned': target => resolved(merged(unescaped(cut(target, /\?/)))),
  'WSGI: decoded, leading slashes merged': target => unescaped(cut(target, /\?/))?.replace(/^\/+/, '/'),
  'Flask: decoded, slashes merged': target => merged(unescaped(cut(target, /[?#]/))),
  'a proxy before nginx: decoded twice': target =>
    resolved(merged(unescaped(unescaped(cut(target, /[?#]/))))),
  'IIS: decoded, `\\`, compatible letters, case ignored': target =>
    resolved(
      merged(
        unescaped(cut(target, /\?/))?.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('\\', '/'),
      ),
    ),
};

function cut(target: string, at: RegExp): string {
  const [path = ''] = target.split(at, 1);
  return path;
}

function cutDecoded(path: string | undefined): string | undefined {
  return path === undefined ? undefined : cut(path, /[?#]/);
}

/** Bytes that are no UTF-8 are taken as they are, and overlong forms as some old decoders took them. */
function unescaped(path: string | undefined): string | undefined {
  if (path === undefined || /%(?![\dA-Fa-f]{2})/.test(path)) return undefined;
  const bytes = path.replace(/%([\dA-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (bytes.includes('\0')) return cut(bytes, /\0/);
  const short = bytes.replace(/[\xc0\xc1][\x80-\xbf]/g, pair =>
    String.fromCharCode(((pair.charCodeAt(0) & 0x1f) << 6) | (pair.charCodeAt(1) & 0x3f)),
  );
  const octets = Buffer.from(short, 'latin1');
  return octets.length === short.length ? octets.toString('utf8') : short;
}

function merged(path: string | undefined): string | undefined {
  return path?.replace(/\/{2,}/g, '/');
}

function resolved(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const segments: string[] = [];
  const parts = path.split('/').slice(1);
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    if (part === '..') {
      if (segments.pop() === undefined) return undefined;
      if (last) segments.push('');
    } else if (part === '.') {
      if (last) segments.push('');
    } else segments.push(part);
  }
  return `/${segments.join('/')}`;
}

function withoutLastSlash(path: string | undefined): string | undefined {
  return path !== undefined && path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function urlPath(target: string): string | undefined {
  return URL.parse(target, 'http://server')?.pathname;
}
