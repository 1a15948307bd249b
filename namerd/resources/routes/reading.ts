/** What the readers of one route's parts share: where it lives, what is to be remarked, and a common allowance. */

import type { ConfigNode } from '#base/config.ts';
import { readPattern } from '../values/pattern.ts';

/** Each pattern may take milliseconds to compile, here and in every proxy. */
const MAX_PATTERNS = 128;

export class RouteReading {
  /** Of the route: what references without a namespace mean. */
  readonly namespace: string;
  readonly warnings: string[] = [];
  #patterns = 0;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** Something has no effect, or hardly the one that was meant. */
  warn(at: ConfigNode, message: string): void {
    this.warnings.push(at.path === '' ? message : `${at.path}: ${message}`);
  }

  pattern(node: ConfigNode | undefined): string | undefined {
    this.#patterns++;
    if (this.#patterns <= MAX_PATTERNS) return readPattern(node);
    if (this.#patterns === MAX_PATTERNS + 1)
      node?.problem(`more than ${MAX_PATTERNS} regular expressions in one route`);
    return undefined;
  }
}
