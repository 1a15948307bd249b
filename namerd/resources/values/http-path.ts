/** Paths that users write. Requests are compared after normalising, so what no such path can contain is refused. */

const FORM = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;
const MAX_PATH = 1_024;

/** What is wrong with the text as a path (Gateway API HTTPPathMatch); undefined if nothing. */
export function httpPathProblem(text: string): string | undefined {
  if (text.length > MAX_PATH) return `${text.length} characters: at most ${MAX_PATH}`;
  if (!text.startsWith('/')) return `'${text}' is no path: it begins with '/'`;
  if (/[?#]/.test(text)) return `'${text}': a path has no query and no fragment`;
  return (
    segmentsProblem(text) ??
    (FORM.test(text) ? undefined : `'${text}' has characters that a path holds percent-encoded only`)
  );
}

/** What would vanish from a path when it is normalised, and so never fit. */
export function segmentsProblem(text: string): string | undefined {
  if (text.includes('//')) return `'${text}': '//' can't be in a path`;
  if (/\/\.\.?(?:\/|$)/.test(text)) return `'${text}': the segments '.' and '..' can't be in a path`;
  if (/%2f/i.test(text)) return `'${text}': '%2f' can't be in a path`;
  return undefined;
}

/** A prefix means whole segments, so that a slash at its end says nothing: `/a/` is `/a`. */
export function prefixWithoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
