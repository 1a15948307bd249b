/** Runs the scenarios one after the other and says, finding by finding, what was expected and what was seen. */

import type { WorkloadSpec } from '../inventory.ts';
import { type Column, renderTable } from '../show/table.ts';
import type { Stage } from '../stage.ts';
import { L4_SCENARIOS } from './l4/index.ts';
import { L7_SCENARIOS } from './l7/index.ts';
import { type Finding, Findings, type Scenario } from './scenario.ts';

const SCENARIOS: readonly Scenario[] = [...L4_SCENARIOS, ...L7_SCENARIOS];

export interface CheckOptions {
  json: boolean;
  only: ReadonlySet<number> | undefined;
  signal: AbortSignal;
  say(step: string): void;
}

/** True if everything that was expected was seen. */
export async function checkAll(stage: Stage, { json, only, signal, say }: CheckOptions): Promise<boolean> {
  const wanted = SCENARIOS.filter(({ number }) => only?.has(number) ?? true);
  const findings: Finding[] = [];
  for (const scenario of wanted) {
    if (signal.aborted) return false;
    // All at once is faster than one after the other; those before need none, and count what they have.
    const needs = scenario.needs === undefined ? [] : wanted.flatMap(({ needs = [] }) => needs);
    const list = await runOne(stage, scenario, needs);
    const held = list.filter(({ holds }) => holds).length;
    say(`${scenario.number}. ${scenario.title}: ${held} of ${list.length} hold`);
    findings.push(...list);
  }
  report(findings, json);
  return findings.length > 0 && findings.every(({ holds }) => holds);
}

function report(findings: readonly Finding[], json: boolean): void {
  const failed = findings.filter(({ holds }) => !holds);
  const passed = findings.length - failed.length;
  if (json) {
    process.stdout.write(`${JSON.stringify({ passed, failed: failed.length, findings }, null, 2)}\n`);
    return;
  }
  process.stdout.write(`\n${renderTable(COLUMNS, findings)}\n`);
  // Once more at the end, where a reader of a long log looks first.
  if (failed.length > 0) process.stdout.write(`\n${renderTable(COLUMNS, failed)}\n`);
  process.stdout.write(`\n${passed} passed, ${failed.length} failed\n`);
}

async function runOne(stage: Stage, scenario: Scenario, needs: readonly WorkloadSpec[]): Promise<Finding[]> {
  const findings = new Findings(scenario.number);
  try {
    await stage.cast(needs);
    await scenario.run(stage, findings);
  } catch (error) {
    findings.thrown(error);
  }
  return findings.list;
}

const COLUMNS: readonly Column<Finding>[] = [
  { title: '#', cell: ({ scenario }) => String(scenario), right: true },
  { title: '', cell: ({ holds }) => (holds ? '✔' : '✖') },
  { title: 'what', cell: ({ what }) => what },
  { title: 'expected', cell: ({ expected }) => expected },
  { title: 'seen', cell: ({ seen }) => seen },
];
