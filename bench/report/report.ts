/** What a run found, as text for a terminal. Pure. */

import { type Column, formatBytes, renderTable } from '../../deploy/demo/show/table.ts';
import { type ContenderName, NAMES, TITLES } from '../contenders/contender.ts';
import type { Results } from '../l4.ts';
import { type Spread, spread } from '../measure/statistics.ts';
import {
  addedP99,
  bulkCpu,
  connectionCpu,
  type Figure,
  p50,
  p99,
  p999,
  pacedCpu,
  requestCpu,
  series,
} from './series.ts';
import { CNI_TARGET_MS, COMPARISONS, judge, outcomeOf, type Verdict } from './verdicts.ts';

/** Parts without a figure are left out. */
export function renderReport(results: Results, ratePerSecond: number): string {
  const rounds = results.rounds.length;
  const parts: [string, string | undefined][] = [
    [
      'CPU time (user and system) of the proxy processes only, of all proxies on the way together:',
      costs(results, ratePerSecond),
    ],
    [
      `Latency at ${ratePerSecond} requests a second on 16 connections, milliseconds from the moment a request was due:`,
      latencies(results),
    ],
    [
      'Memory of the proxies on the way together, PSS (RSS), just started, connections used once, then idle:',
      memory(results),
    ],
    ['Bringing a pod into the mesh:', cni(results)],
    ['Ours divided by theirs, within the same round:', verdicts(results)],
  ];
  const shown = parts.filter(([, part]) => part !== undefined).map(([title, part]) => `${title}\n\n${part}`);
  return [`Medians of ${rounds} round(s) [smallest–largest].`, ...shown].join('\n\n');
}

function costs(results: Results, rate: number): string | undefined {
  return table(results, [
    ['µs per small request', requestCpu, 1],
    [`µs per request at ${rate}/s`, pacedCpu, 1],
    ['µs per new connection', connectionCpu, 0],
    ['s per GB', bulkCpu, 2],
  ]);
}

function latencies(results: Results): string | undefined {
  return table(results, [
    ['p50', p50, 2],
    ['p99', p99, 2],
    ['p99.9', p999, 2],
    ['p99 added to direct', addedP99, 2],
  ]);
}

/** One row per contender that has any of the figures, one column per figure; undefined without a row. */
function table(results: Results, all: readonly [string, Figure, number][]): string | undefined {
  const figures = all.filter(([, figure]) => NAMES.some(name => series(results, figure, name) !== undefined));
  const rows = NAMES.filter(name =>
    figures.some(([, figure]) => series(results, figure, name) !== undefined),
  );
  const columns: Column<ContenderName>[] = figures.map(([title, figure, digits]) => ({
    title,
    right: true,
    cell: name => {
      const values = series(results, figure, name);
      const nothing = figure === addedP99 && name.startsWith('direct');
      return values === undefined || nothing ? '' : format(spread(values), digits);
    },
  }));
  if (rows.length === 0) return undefined;
  return renderTable([{ title: '', cell: name => TITLES[name] }, ...columns], rows);
}

function memory({ idle }: Results): string | undefined {
  const rows = NAMES.filter(name => idle[name] !== undefined);
  if (rows.length === 0) return undefined;
  const counts = idle[rows[0] ?? 'mesh-far']?.map(({ connections }) => connections) ?? [];
  const columns: Column<ContenderName>[] = counts.map((count, i) => ({
    title: `${count.toLocaleString('en')} idle`,
    right: true,
    cell: name => {
      const weight = idle[name]?.[i];
      return weight === undefined ? '' : `${formatBytes(weight.pss)} (${formatBytes(weight.rss)})`;
    },
  }));
  return renderTable([{ title: '', cell: name => TITLES[name] }, ...columns], rows);
}

function cni({ cni }: Results): string | undefined {
  if (cni === undefined) return undefined;
  const ours = spread(cni.nodemesh);
  const outcome = outcomeOf(ours, CNI_TARGET_MS);
  return (
    `CNI ADD with capture, process start to exit, ${cni.nodemesh.length} pods: ${format(ours, 0)} ms; target ≤ ${CNI_TARGET_MS} ms: ${outcome}. ` +
    `(For scale: the plugin ptp, which connects the pod, ${format(spread(cni.ptp), 0)} ms.)`
  );
}

function verdicts(results: Results): string {
  const rows = COMPARISONS.map(comparison => judge(results, comparison)).filter(row => row !== undefined);
  const columns: Column<Verdict>[] = [
    { title: '', cell: ({ comparison }) => comparison.what },
    { title: 'ours', cell: ({ comparison }) => TITLES[comparison.ours] },
    { title: 'theirs', cell: ({ comparison }) => TITLES[comparison.theirs] },
    {
      title: 'ratio',
      right: true,
      cell: ({ spread: range }) => (range === undefined ? 'theirs added nothing' : format(range, 2)),
    },
    {
      title: 'target',
      right: true,
      cell: ({ comparison: { target } }) => (target === undefined ? '' : `≤ ${target}`),
    },
    { title: '', cell: ({ outcome }) => outcome ?? '' },
  ];
  return rows.length === 0 ? 'nothing to compare: nodemesh was not measured' : renderTable(columns, rows);
}

export function format({ median, min, max }: Spread, digits: number): string {
  const [middle, low, high] = [median, min, max].map(value => value.toFixed(digits));
  return low === high ? `${middle}` : `${middle} [${low}–${high}]`;
}
