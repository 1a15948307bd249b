/**
 * Hashes for choices that must be the same on every node, in every worker and after every restart. Not for
 * anything that an attacker must not predict. Source: MurmurHash3 x86_32 by A. Appleby (public domain), fed with
 * UTF-16 code units, two to a block.
 */

/** Scrambles 32 bits so that each bit of the input turns half of the output's. A bijection. */
export function mix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

/** @returns an unsigned 32-bit number that depends on nothing but the text. */
export function hashText(text: string): number {
  const { length } = text;
  let hash = 0;
  let i = 0;
  for (; i + 1 < length; i += 2) {
    const h = hash ^ scramble(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    hash = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  if (i < length) hash ^= scramble(text.charCodeAt(i));
  return mix32(hash ^ (length * 2));
}
