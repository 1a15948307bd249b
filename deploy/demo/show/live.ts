/** The live table: who calls whom, how well, how it was secured; drawn over itself while the demo runs. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#base/errors.ts';
import type { Edge } from '../mesh/edges.ts';
import { percentileMs } from '../mesh/requests.ts';
import type { Stage } from '../stage.ts';
import { SHOWN_POLICIES } from './policies.ts';
import { type Column, formatBytes, renderTable } from './table.ts';

const INTERVAL_MS = 1_000;
const HTTP_NOTE =
  'percentage fails half of the time; a TrafficPolicy lets its callers ask again, which lifts them to about 75 %';
const CLEAR = '\x1b[H\x1b[J';

interface Row {
  edge: Edge;
  /** Per second, since the last drawing. */
  calls: number;
  bytes: number;
  requests: number | undefined;
  /** Of the last seconds: as long as it takes for percentiles to say something. */
  p50Ms: number | undefined;
  p99Ms: number | undefined;
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
  { title: 'HTTP/s', right: true, cell: ({ requests }) => requests?.toFixed(1) ?? '–' },
  {
    title: 'ok',
    right: true,
    cell: ({ edge: { requests } }) => percent(requests?.ok ?? 0, requests?.count ?? 0),
  },
  { title: 'p50 ≤', right: true, cell: ({ p50Ms }) => bound(p50Ms) },
  { title: 'p99 ≤', right: true, cell: ({ p99Ms }) => bound(p99Ms) },
  { title: 'secured', cell: ({ edge }) => edge.mesh?.security.join('+') || '–' },
  { title: 'identity of the caller → of the called', cell: ({ edge }) => identities(edge) },
];

export interface LiveOptions {
  stage: Stage;
  plain: boolean;
  urls: readonly { what: string; url: string }[];
  signal: AbortSignal;
}

/** Drawings that percentiles are taken over. */
const WINDOW = 10;

/** Draws until the signal is given. */
export async function showLive({ stage, plain, urls, signal }: LiveOptions): Promise<void> {
  const tty = process.stdout.isTTY;
  const columns = plain ? COLUMNS : [...COLUMNS, ...MESH_COLUMNS];
  const title = plain
    ? 'The calculator without a mesh'
    : 'The calculator on nodemesh: two nodes, no sidecars';
  const footer = plain ? [] : ['', ...urls.map(({ what, url }) => `${what.padEnd(15)} ${url}`)];
  for (const document of plain ? [] : SHOWN_POLICIES) await stage.mesh.namerd.store(document);
  let before = { at: performance.now(), edges: await stage.edges() };
  const window = [before];
  while (!signal.aborted) {
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const text = await stage.edges().then(
      edges => {
        const now = { at: performance.now(), edges };
        const rows = edges.map(edge => row(edge, before, window[0]?.edges ?? [], now.at));
        before = now;
        if (window.push(now) > WINDOW) window.shift();
        return renderTable(columns, rows);
      },
      error => `Nothing to show at the moment: ${messageOf(error)}`,
    );
    const note = 'failed = no answer at all; dividing by zero is an answer (an error), and meant to happen';
    const page = [
      title,
      '',
      text,
      '',
      note,
      ...(plain ? [] : [HTTP_NOTE]),
      ...footer,
      '',
      'Ctrl-C leaves nothing behind.',
      '',
    ].join('\n');
    process.stdout.write(`${tty ? CLEAR : ''}${page}${tty ? '' : '\n'}`);
  }
}

function row(
  edge: Edge,
  before: { at: number; edges: readonly Edge[] },
  windowStart: readonly Edge[],
  at: number,
): Row {
  const same = ({ source, destination }: Edge) => source === edge.source && destination === edge.destination;
  const old = before.edges.find(same);
  const seconds = (at - before.at) / 1000;
  const calls = (edge.calls - (old?.calls ?? 0)) / seconds;
  const bytes = ((edge.mesh?.bytes ?? 0) - (old?.mesh?.bytes ?? 0)) / seconds;
  // Counters begin again at zero when a proxy is replaced.
  const { requests } = edge;
  const perSecond = requests && Math.max(0, (requests.count - (old?.requests?.count ?? 0)) / seconds);
  const first = windowStart.find(same)?.requests;
  return {
    edge,
    calls: Math.max(0, calls),
    bytes: Math.max(0, bytes),
    requests: perSecond,
    p50Ms: requests && percentileMs(requests, first, 0.5),
    p99Ms: requests && percentileMs(requests, first, 0.99),
  };
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(1);
}

/** Buckets have round bounds. */
function bound(value: number | undefined): string {
  return value === undefined ? '–' : Number.isFinite(value) ? `${value} ms` : '30 s +';
}

/** The part that differs: the trust domain is the same for all. */
function identities({ mesh }: Edge): string {
  if (mesh === undefined) return '–';
  const [from, to] = [mesh.sourceIdentity, mesh.destinationIdentity].map(
    identity => identity.replace(/^spiffe:\/\/[^/]*\//, '') || '–',
  );
  return `${from} → ${to}`;
}
