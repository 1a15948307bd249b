/** From any JSON value to a line of the mesh API, or a refusal. namerd believes nothing, a client only the frame. */

import { MeshApiError } from './mesh-error.ts';
import type { ClientLine, ServerLine, WatchKind } from './mesh-protocol.ts';

const KINDS: ReadonlySet<unknown> = new Set<WatchKind>(['address', 'name', 'node', 'trust']);
const MAX_KEY = 4096;
const MAX_VERSION = 128;
/** More workloads than any node runs. */
const MAX_ENROLLED = 10_000;
const MAX_WORKLOAD = 512;

/** @throws MeshApiError NM_MESH_PROTOCOL */
export function clientLine(value: unknown): ClientLine {
  const line = fields(value);
  switch (line['op']) {
    case 'watch': {
      const { id, kind, key, version } = line;
      if (!isId(id) || !KINDS.has(kind) || !isText(key, MAX_KEY)) break;
      if (version !== undefined && !isText(version, MAX_VERSION)) break;
      return { op: 'watch', id, kind: kind as WatchKind, key, ...(version === undefined ? {} : { version }) };
    }
    case 'unwatch':
      if (isId(line['id'])) return { op: 'unwatch', id: line['id'] };
      break;
    case 'report': {
      const { enrolled, seq } = line;
      if (!isId(seq) || !Array.isArray(enrolled) || enrolled.length > MAX_ENROLLED) break;
      if (!enrolled.every((workload): workload is string => isText(workload, MAX_WORKLOAD))) break;
      return { op: 'report', enrolled, seq };
    }
    case 'beat':
      return { op: 'beat' };
  }
  throw unexpected(value);
}

/** Undefined for a kind of line that only a later namerd has. @throws MeshApiError NM_MESH_PROTOCOL */
export function serverLine(value: unknown): ServerLine | undefined {
  const line = fields(value);
  if ('beat' in line || isId(line['reported'])) return line as unknown as ServerLine;
  if (!isId(line['id'])) return undefined;
  if (typeof line['version'] === 'string') return line as unknown as ServerLine;
  const { code, message } = fields(line['error']);
  if (typeof code !== 'string' || typeof message !== 'string') throw unexpected(value);
  return line as unknown as ServerLine;
}

function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw unexpected(value);
  return value as Record<string, unknown>;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length <= max;
}

function unexpected(value: unknown): MeshApiError {
  const text = JSON.stringify(value) ?? String(value);
  return MeshApiError.failure('NM_MESH_PROTOCOL', `unexpected line ${text.slice(0, 200)}`);
}
