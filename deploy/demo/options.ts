/** The demo's command line. */

import { parseArgs } from 'node:util';

export interface Options {
  /** Run the scenarios instead of showing the table. */
  check: boolean;
  /** Results as JSON lines instead of a table. */
  json: boolean;
  /** Numbers of the scenarios to run; undefined: all. */
  only: ReadonlySet<number> | undefined;
  /** Without a mesh: the same calculator on the same network, to compare. */
  plain: boolean;
  /** Show the table for this long, then leave. */
  forSeconds: number;
}

export const USAGE = `usage: npm run demo -- [--check [--json] [--only N[,N…]]] [--plain] [--for SECONDS]

Without options: a live table of who calls whom, until Ctrl-C.
  --check        run the scenarios and say what was expected and what was seen; exit 0 only if all hold
  --json         results as JSON
  --only N[,N…]  only these scenarios
  --plain        no mesh: the same calculator on the same network, to compare
  --for SECONDS  leave after this time`;

/** Throws with a message for the user. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      plain: { type: 'boolean', default: false },
      for: { type: 'string' },
    },
  });
  const forSeconds = values.for === undefined ? Number.POSITIVE_INFINITY : Number(values.for);
  if (!(forSeconds > 0)) throw new TypeError('--for needs a number of seconds');
  const only = values.only?.split(',').map(Number);
  if (only?.some(number => !Number.isInteger(number))) throw new TypeError('--only needs numbers');
  const { check, json, plain } = values;
  return { check, json, plain, forSeconds, only: only && new Set(only) };
}
