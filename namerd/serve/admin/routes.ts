/** The admin interface of namerd: for operators and probes, on loopback unless configured otherwise. */

import type { Clock } from '#base/clock.ts';
import { LOG_LEVELS, type Logger, type LogLevel } from '#base/log.ts';
import { HttpError, json, type Reply, type Request } from '../http/exchange.ts';
import { mediaType } from '../http/media-type.ts';
import type { Route } from '../http/router.ts';
import type { Metrics } from './metrics.ts';

export interface AdminParts {
  version: string;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** A further path for the metrics. */
  metricsPath: string;
  /** The configuration without secrets. */
  config: unknown;
  /** What stands in the way of being ready, in words; empty when nothing does. */
  blockers: () => readonly string[];
  /** Dumps of inner state by path, such as `/storage.json`. */
  dumps: Readonly<Record<string, () => unknown>>;
  /** Begins a graceful stop. */
  shutdown: () => void;
}

export function adminRoutes(parts: AdminParts): Route[] {
  const startedAt = parts.clock.now();
  const prometheus = async (): Promise<Reply> => ({
    status: 200,
    type: parts.metrics.registry.contentType,
    body: await parts.metrics.text(),
  });
  const metricsPaths = new Set(['/metrics', '/admin/metrics/prometheus', parts.metricsPath]);
  return [
    { pattern: '/admin/ping', handlers: { GET: () => text('pong') } },
    { pattern: '/admin/server_info', handlers: { GET: () => json(serverInfo(parts, startedAt)) } },
    ...[...metricsPaths].map(pattern => ({ pattern, handlers: { GET: prometheus } })),
    { pattern: '/admin/metrics.json', handlers: { GET: async () => json(await parts.metrics.flat()) } },
    { pattern: '/config.json', handlers: { GET: () => json(parts.config) } },
    ...['/logging', '/logging.json'].map(pattern => ({
      pattern,
      handlers: {
        GET: () => json({ level: parts.log.level, levels: LOG_LEVELS }),
        POST: (request: Request) => setLevel(parts.log, request),
      },
    })),
    { pattern: '/ready', handlers: { GET: () => ready(parts.blockers()) } },
    {
      pattern: '/admin/shutdown',
      handlers: {
        POST: () => {
          // After the answer has left.
          setImmediate(parts.shutdown);
          return text('stopping', 202);
        },
      },
    },
    ...Object.entries(parts.dumps).map(([pattern, dump]) => ({
      pattern,
      handlers: { GET: () => json(dump()) },
    })),
  ];
}

function text(body: string, status = 200): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function serverInfo({ version, clock }: AdminParts, startedAt: number): unknown {
  return {
    name: 'namerd',
    version,
    runtime: process.version,
    pid: process.pid,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.round((clock.now() - startedAt) / 1000),
  };
}

function ready(blockers: readonly string[]): Reply {
  return json({ ready: blockers.length === 0, blockers }, { status: blockers.length === 0 ? 200 : 503 });
}

/** `level` in the query, in a form, or in JSON. */
async function setLevel(log: Logger, request: Request): Promise<Reply> {
  const level = request.query.get('level') ?? levelIn(await request.text(), request.headers['content-type']);
  if (!LOG_LEVELS.includes(level as LogLevel))
    throw new HttpError(400, `'${level}' is no log level: ${LOG_LEVELS.join(', ')}`);
  log.warn({ from: log.level, to: level }, 'the log level changes');
  log.level = level;
  return json({ level });
}

function levelIn(body: string, contentType: string | undefined): string {
  if (mediaType(contentType) !== 'application/json')
    return new URLSearchParams(body).get('level') ?? body.trim();
  try {
    return String((JSON.parse(body) as { level?: unknown } | null)?.level);
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
}
