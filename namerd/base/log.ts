/** Structured logs through pino: JSON lines on standard output, level changeable at run time. */

import { destination, type Logger as PinoLogger, pino } from 'pino';
import { MeshError, messageOf } from './errors.ts';

export type Logger = PinoLogger;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Nothing under these names may ever be printed, however it came into a log object. */
const SECRETS = ['key', 'privateKey', 'keyPem', 'token', 'joinToken', 'authorization', 'csr'];

export interface LogOptions {
  name: string;
  level: LogLevel;
  /** A file descriptor or a path; standard output by default. */
  to?: number | string;
}

export function createLog({ name, level, to = 1 }: LogOptions): Logger {
  return pino(
    {
      name,
      level,
      base: { name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
      redact: { paths: SECRETS.flatMap(name => [name, `*.${name}`]), censor: '[redacted]' },
      serializers: { err: describeError },
    },
    // Synchronous: a log line that is lost in a crash is the one that was needed.
    destination({ dest: to, sync: true, mkdir: true }),
  );
}

/** For tests and for parts that were given no log. */
export const silentLog: Logger = pino({ level: 'silent' });

function describeError(error: unknown): unknown {
  if (error instanceof MeshError) return error.toJSON();
  if (error instanceof Error) {
    const { code } = error as { code?: unknown };
    return { message: messageOf(error), ...(code === undefined ? {} : { code }), stack: error.stack };
  }
  return error;
}
