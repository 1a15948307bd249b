/** What the readers of a TrafficPolicy's sections share: remarks, and fields that contradict each other. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { optional } from '../values/fields.ts';

/** Something is in force, but hardly meant. */
export type Warn = (at: ConfigNode, message: string) => void;

/** A section that may be left out: its reader gets the fields, and unknown ones are reported after it. */
export function section<T>(spec: Fields, name: string, read: (fields: Fields) => T): T | undefined {
  const fields = optional(spec, name)?.fields();
  if (fields === undefined) return undefined;
  const value = read(fields);
  fields.finish();
  return value;
}
