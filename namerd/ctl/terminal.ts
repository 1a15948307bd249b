/** What a command-line program has around it, so that tests can be the surroundings. */

import { MeshError } from '#base/errors.ts';

export interface Terminal {
  /** Results. A newline is added. */
  out(text: string): void;
  /** Errors and warnings. A newline is added. */
  err(text: string): void;
  /** The whole standard input. */
  input(): Promise<string>;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  fetch: typeof fetch;
  /** Replaces the exit code 0. */
  exitCode(code: number): void;
}

/** Something asked for is not as it should be: an error was met, a document is bad, a difference was found. */
export const EXIT_FAILED = 1;
/** The command line itself is wrong. */
export const EXIT_USAGE = 2;

/** A command that was used in a way that cannot work. */
export class UsageError extends MeshError {
  constructor(message: string) {
    super('NM_CTL_USAGE', message, { by: 'client', next: 'See namerctl --help.' });
  }
}

/** Columns as wide as their widest cell, two blanks apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map(row => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)));
  return rows
    .map(row =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
