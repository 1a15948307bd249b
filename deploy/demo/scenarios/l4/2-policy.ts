/** A policy on a workload holds on all four paths: by name and by pod IP, from inside the mesh and from outside. */

import type { Running } from '../../cluster.ts';
import { CALCULATOR } from '../../inventory.ts';
import { failedCalls } from '../../mesh/counters.ts';
import { TRUST_DOMAIN } from '../../mesh/namerd.ts';
import { eventually, type Scenario } from '../scenario.ts';

const CALLS = 20;
const POLICY = {
  apiVersion: 'nodemesh.io/v1alpha1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'who-may-multiply', namespace: CALCULATOR },
  spec: {
    selector: { matchLabels: { app: 'multiplication' } },
    action: 'ALLOW',
    rules: [{ from: [{ identities: ['mathfanboy', 'percentage'].map(identity) }] }],
  },
};

export const scenario: Scenario = {
  number: 2,
  title: 'multiplication may be called by mathfanboy and percentage only, on all four paths',
  async run(stage, findings) {
    const byName = 'http://multiplication.calculator:5003/multiplication';
    const byIp = `http://${stage.pod('multiplication-1').pod.ip}/multiplication`;
    const answered = async (caller: Running) => failedCalls(await stage.burst(caller, byName)) === 0;
    const outsider = stage.pod('addition-1');
    await stage.mesh.namerd.apply(POLICY);
    try {
      const took = await eventually(async () => !(await answered(outsider)));
      findings.add(
        'the policy is in force within 5 s',
        'yes',
        took === undefined ? 'no' : 'yes',
        took !== undefined,
      );
      for (const [path, url] of [
        ['by name', byName],
        ['by pod IP', byIp],
      ] as const) {
        const call = (caller: Running) => stage.burst(caller, url, { count: CALLS, concurrency: 4 });
        for (const name of ['mathfanboy-1', 'percentage-1'])
          findings.noFailedCall(`${name} ${path}`, await call(stage.pod(name)));
        for (const name of ['addition-1', 'subtraction-1'])
          findings.allRefused(`${name} ${path}`, await call(stage.pod(name)));
        for (const node of [1, 2] as const)
          findings.allRefused(
            `a pod outside the mesh on node ${node}, ${path}`,
            await call(stage.stranger(node)),
          );
      }
    } finally {
      await stage.mesh.namerd.remove(POLICY);
    }
    const took = await eventually(() => answered(outsider));
    findings.add(
      'without the policy addition is served again',
      'yes',
      took === undefined ? 'no' : 'yes',
      took !== undefined,
    );
  },
};

function identity(serviceAccount: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${CALCULATOR}/sa/${serviceAccount}`;
}
