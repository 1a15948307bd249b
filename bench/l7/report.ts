/** What a run found, as text for a terminal. Pure. */

import { type Column, renderTable } from '../../deploy/demo/show/table.ts';
import { spread } from '../measure/statistics.ts';
import { format } from '../report/report.ts';
import { NAMES, type Name, TITLES } from './contenders.ts';
import { cpu, type Figure, ownCpu, p50, p99, p999, type Results, series, throughput } from './figures.ts';
import { comparisons, judge, nameOfSize, type Verdict } from './verdicts.ts';
import { type Group, type Scale, workId } from './work.ts';

interface Cell {
  title: string;
  work: string;
  figure: Figure;
  digits: number;
}

/** Parts without a figure are left out. */
export function renderReport(results: Results, scale: Scale): string {
  const sized = (group: Group, figure: Figure, digits: number): Cell[] =>
    (group === 'post' ? scale.sentSizes : scale.sizes).map(bytes => ({
      title: nameOfSize(bytes),
      work: workId(group, bytes),
      figure,
      digits,
    }));
  const latency = (group: Group, rate: number): Cell[] => {
    const cell = (title: string, figure: Figure, digits: number): Cell => ({
      title,
      work: workId(group, rate),
      figure,
      digits,
    });
    return [
      cell('p50', p50, 2),
      cell('p99', p99, 2),
      cell('p99.9', p999, 2),
      cell('µs of CPU per request', cpu, 1),
    ];
  };
  const latencies = (group: Group, what: string): [string, Cell[]][] =>
    scale.rates.map(rate => [
      `${what} at ${rate} a second, open loop, answers of 1 KB: milliseconds from the moment a request was due:`,
      latency(group, rate),
    ]);
  const parts: [string, Cell[]][] = [
    [
      'HTTP/1.1, µs of CPU (user and system) of all proxies on the way per request, by the size of the answer:',
      sized('http', cpu, 1),
    ],
    ['HTTP/1.1 POST, µs of CPU per request, by the size of its body; empty answers:', sized('post', cpu, 1)],
    ['gRPC unary, µs of CPU of all proxies on the way per call:', sized('grpc', cpu, 1)],
    [
      'HTTP/1.1, requests a second, closed loop, all processes on this machine:',
      sized('http', throughput, 0),
    ],
    ['gRPC unary, calls a second:', sized('grpc', throughput, 0)],
    ['The load generator itself, µs of CPU per HTTP/1.1 request:', sized('http', ownCpu, 1)],
    ['The load generator itself, µs of CPU per call:', sized('grpc', ownCpu, 1)],
    ...latencies('paced', 'HTTP/1.1'),
    ...latencies('paced-grpc', 'gRPC unary'),
  ];
  const { failures = [] } = results;
  const shown = parts.flatMap(([title, cells]) => {
    const text = table(results, cells);
    return text === undefined ? [] : [`${title}\n\n${text}`];
  });
  return [
    `Medians of ${results.rounds.length} round(s) [smallest–largest].`,
    ...shown,
    ...(failures.length > 0
      ? [`Peers without a figure, since a request of theirs failed:\n\n${failures.join('\n')}`]
      : []),
    `Ours against theirs, within the same round:\n\n${verdicts(results, scale)}`,
  ].join('\n\n');
}

/** One row per contender that has any of the figures; undefined without a row. */
function table(results: Results, cells: readonly Cell[]): string | undefined {
  const values = (name: Name, { work, figure }: Cell) =>
    figure === cpu && name.startsWith('direct') ? undefined : series(results, work, name, figure);
  const rows = NAMES.filter(name => cells.some(cell => values(name, cell) !== undefined));
  if (rows.length === 0) return undefined;
  const columns: Column<Name>[] = cells.map(cell => ({
    title: cell.title,
    right: true,
    cell: name => {
      const found = values(name, cell);
      return found === undefined ? '' : format(spread(found), cell.digits);
    },
  }));
  return renderTable([{ title: '', cell: name => TITLES[name] }, ...columns], rows);
}

function verdicts(results: Results, scale: Scale): string {
  const rows = comparisons(scale)
    .map(comparison => judge(results, comparison))
    .filter(row => row !== undefined);
  const columns: Column<Verdict>[] = [
    { title: '', cell: ({ comparison }) => comparison.what },
    { title: 'ours', cell: ({ comparison }) => TITLES[comparison.ours] },
    { title: 'theirs', cell: ({ comparison }) => TITLES[comparison.theirs] },
    {
      title: '',
      right: true,
      cell: ({ spread: range, comparison }) =>
        `${comparison.as === 'ratio' ? '×' : 'ms'} ${format(range, 2)}`,
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
