/** The applications notice nothing: they see their caller's own address, and run as they always ran. */

import { readFileSync } from 'node:fs';
import { CALCULATOR } from '../../inventory.ts';
import type { Scenario } from '../scenario.ts';

const CALLS = 20;
/** Variables by which an application would be told of a proxy. */
const TOLD = /proxy|nodemesh|ssl|tls|ca_cert/i;

export const scenario: Scenario = {
  number: 3,
  title: "applications see their caller's pod IP, and were neither restarted nor configured",
  async run(stage, findings) {
    const mathfanboy = stage.pod('mathfanboy-1');
    for (const [callerName, caller, target, port] of [
      ['mathfanboy, across the wire', mathfanboy, 'multiplication', 5003],
      ['mathfanboy, on the same node', mathfanboy, 'addition', 5001],
      ['a pod outside the mesh', stage.stranger(2), 'addition', 5001],
    ] as const) {
      const url = `http://${target}.calculator:${port}/${target}`;
      const { seenAs } = await stage.burst(caller, url, { count: CALLS });
      const seen = Object.entries(seenAs).map(([ip, count]) => `${ip} ×${count}`);
      findings.equal(`${target} sees ${callerName} as`, `${caller.pod.ip} ×${CALLS}`, seen.join(' '));
    }
    const apps = [...stage.cluster.running.values()].filter(({ spec }) => spec.namespace === CALCULATOR);
    const gone = apps.filter(({ app }) => app?.running !== true).map(({ spec }) => spec.name);
    findings.none(`of ${apps.length} applications, not the process that was first started`, gone);
    const told = apps.flatMap(({ app }) =>
      readFileSync(`/proc/${app?.pid}/environ`, 'utf8')
        .split('\0')
        .filter(variable => TOLD.test(variable.split('=', 1)[0] ?? '')),
    );
    findings.none('environment variables that tell an application of a proxy', told);
  },
};
