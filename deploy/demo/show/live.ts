/** The live table: who calls whom, how well, how it was secured; drawn over itself while the demo runs. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#base/errors.ts';
import type { Edge } from '../mesh/edges.ts';
import type { Stage } from '../stage.ts';
import { type Column, formatBytes, renderTable } from './table.ts';

const INTERVAL_MS = 1_000;
const CLEAR = '\x1b[H\x1b[J';

interface Row {
  edge: Edge;
  /** Per second, since the last drawing. */
  calls: number;
  bytes: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'from', cell: ({ edge }) => edge.source },
  { title: 'to', cell: ({ edge }) => edge.destination },
  { title: 'calls/s', right: true, cell: ({ calls }) => calls.toFixed(1) },
  { title: 'success', right: true, cell: ({ edge: { ok, calls } }) => percent(ok, calls) },
  { title: 'failed', right: true, cell: ({ edge }) => String(edge.failed) },
  { title: 'call ms', right: true, cell: ({ edge }) => milliseconds(edge.callMs) },
];

const MESH_COLUMNS: readonly Column<Row>[] = [
  { title: 'connect ms', right: true, cell: ({ edge }) => milliseconds(edge.mesh?.connectMs) },
  { title: 'bytes/s', right: true, cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'secured', cell: ({ edge }) => edge.mesh?.security.join('+') || '–' },
  { title: 'identity of the caller → of the called', cell: ({ edge }) => identities(edge) },
];

export interface LiveOptions {
  stage: Stage;
  plain: boolean;
  urls: readonly { what: string; url: string }[];
  signal: AbortSignal;
}

/** Draws until the signal is given. */
export async function showLive({ stage, plain, urls, signal }: LiveOptions): Promise<void> {
  const tty = process.stdout.isTTY;
  const columns = plain ? COLUMNS : [...COLUMNS, ...MESH_COLUMNS];
  const title = plain
    ? 'The calculator without a mesh'
    : 'The calculator on nodemesh: two nodes, no sidecars';
  const footer = plain ? [] : ['', ...urls.map(({ what, url }) => `${what.padEnd(15)} ${url}`)];
  let before = { at: performance.now(), edges: await stage.edges() };
  while (!signal.aborted) {
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const text = await stage.edges().then(
      edges => {
        const now = { at: performance.now(), edges };
        const rows = edges.map(edge => row(edge, before, now.at));
        before = now;
        return renderTable(columns, rows);
      },
      error => `Nothing to show at the moment: ${messageOf(error)}`,
    );
    const note = 'failed = no answer at all; dividing by zero is an answer (an error), and meant to happen';
    const page = [title, '', text, '', note, ...footer, '', 'Ctrl-C leaves nothing behind.', ''].join('\n');
    process.stdout.write(`${tty ? CLEAR : ''}${page}${tty ? '' : '\n'}`);
  }
}

function row(edge: Edge, before: { at: number; edges: readonly Edge[] }, at: number): Row {
  const old = before.edges.find(
    ({ source, destination }) => source === edge.source && destination === edge.destination,
  );
  const seconds = (at - before.at) / 1000;
  const calls = (edge.calls - (old?.calls ?? 0)) / seconds;
  const bytes = ((edge.mesh?.bytes ?? 0) - (old?.mesh?.bytes ?? 0)) / seconds;
  // Counters begin again at zero when a proxy is replaced.
  return { edge, calls: Math.max(0, calls), bytes: Math.max(0, bytes) };
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(1);
}

/** The part that differs: the trust domain is the same for all. */
function identities({ mesh }: Edge): string {
  if (mesh === undefined) return '–';
  const [from, to] = [mesh.sourceIdentity, mesh.destinationIdentity].map(
    identity => identity.replace(/^spiffe:\/\/[^/]*\//, '') || '–',
  );
  return `${from} → ${to}`;
}
