/** Content negotiation, RFC 9110 §12.5.1, for the few types that we speak. */

interface Range {
  type: string;
  q: number;
  position: number;
}

/** `Application/JSON; charset=utf-8` → `application/json`; '' when absent. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/**
 * The offered type that the client likes best: by q, then by its place in `Accept` (as Linkerd's namerd picks),
 * wildcards meaning the first offer. The first offer when there is no header, undefined when nothing is acceptable.
 */
export function negotiate<T extends string>(
  accept: string | undefined,
  offers: readonly [T, ...T[]],
): T | undefined {
  if (accept === undefined || accept.trim() === '') return offers[0];
  const ranges = accept.split(',').map(readRange);
  let best: { offer: T; q: number; position: number } | undefined;
  for (const offer of offers) {
    const range = mostSpecific(ranges, offer);
    if (range === undefined || range.q === 0) continue;
    if (best === undefined || range.q > best.q || (range.q === best.q && range.position < best.position))
      best = { offer, q: range.q, position: range.position };
  }
  return best?.offer;
}

function mostSpecific(ranges: readonly Range[], offer: string): Range | undefined {
  const [main] = offer.split('/');
  for (const wanted of [offer, `${main}/*`, '*/*']) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range;
  }
  return undefined;
}

function readRange(text: string, position: number): Range {
  const [type = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase());
  const q = parameters.find(parameter => parameter.startsWith('q='))?.slice(2);
  const value = q === undefined ? 1 : Number(q);
  return { type, q: value >= 0 && value <= 1 ? value : 0, position };
}
