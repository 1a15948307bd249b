/** Sizes in bytes: a whole number, or a text such as `64Ki`. */

import type { ConfigNode } from '#base/config.ts';

const FORM = /^(\d{1,15})(Ki|Mi|Gi)?$/;
const FACTOR: Readonly<Record<string, number>> = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

/** Bytes, or undefined if the text is no size. */
export function parseByteSize(text: string): number | undefined {
  const [, digits, unit] = FORM.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (unit === undefined ? 1 : (FACTOR[unit] ?? 1));
}

/** @param max in bytes. */
export function readByteSize(node: ConfigNode | undefined, max: number): number | undefined {
  if (node === undefined) return undefined;
  if (typeof node.value === 'number') return node.integer(0, max);
  const bytes = typeof node.value === 'string' ? parseByteSize(node.value) : undefined;
  if (bytes === undefined) node.problem("a size is expected here: bytes, or a text such as '64Ki' or '1Mi'");
  else if (bytes > max) node.problem(`'${node.value}' is more than ${max} bytes`);
  else return bytes;
  return undefined;
}
