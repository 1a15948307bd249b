/** Fields that the proxy itself puts into a request, in the forms that the protocols need. */

import type { CarriedRequest } from './view.ts';

export type Field = readonly [string, string];

export const NO_FIELDS: readonly Field[] = [];

/** Those of the names that the request has, in the order of the names. */
export function fieldsNamed(view: CarriedRequest, names: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (const name of names) {
    const value = view.header(name);
    if (value !== undefined) fields.push([name, value]);
  }
  return fields;
}

/** As HTTP/1.1 sends them, each with its CRLF. */
export function asLines(fields: readonly Field[]): string {
  let lines = '';
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  return lines;
}
