/**
 * The one error shape of the project. Every failure that a user can meet is a subclass of
 * {@link MeshError} with a stable `code`, says who caused it, and what to check next.
 */

/** Who has to act: the caller, the called application, the mesh itself, a policy, or whoever wrote a file. */
export type Culprit = 'client' | 'upstream' | 'mesh' | 'policy' | 'config';

export interface ErrorDetails {
  by: Culprit;
  /** What to look at or do next, as one sentence for an operator. */
  next?: string;
  cause?: unknown;
}

export class MeshError extends Error {
  readonly code: string;
  readonly by: Culprit;
  readonly next: string | undefined;

  /** @param code stable, upper-case, prefixed `NM_`; part of the public interface (logs, metrics, API). */
  constructor(code: string, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.by = details.by;
    this.next = details.next;
  }

  toJSON(): Record<string, unknown> {
    const cause = causeText(this.cause);
    return {
      code: this.code,
      message: this.message,
      by: this.by,
      ...(this.next === undefined ? {} : { next: this.next }),
      ...(cause === undefined ? {} : { cause }),
    };
  }
}

/** A broken invariant of our own code: never caught on purpose, always a bug. */
export class InvariantError extends MeshError {
  constructor(message: string) {
    super('NM_INVARIANT', message, {
      by: 'mesh',
      next: 'This is a bug in nodemesh: report it with the log.',
    });
  }
}

/** The text of an unknown thrown value; never throws. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}

/** The `code` of a Node or mesh error (`ECONNREFUSED`, `NM_…`), else undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function causeText(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  const code = codeOf(cause);
  return code === undefined ? messageOf(cause) : `${code}: ${messageOf(cause)}`;
}
