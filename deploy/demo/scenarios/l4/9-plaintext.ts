/** Callers from outside the mesh speak plaintext: allowed when the mode is permissive, refused when it is strict. */

import type { Running } from '../../cluster.ts';
import { CALCULATOR } from '../../inventory.ts';
import { failedCalls } from '../../mesh/counters.ts';
import { sum } from '../../mesh/metrics.ts';
import { eventually, type Scenario } from '../scenario.ts';

const CALLS = 20;
const BY_NAME = 'http://addition.calculator:5001/addition';
const STRICT = {
  apiVersion: 'nodemesh.io/v1alpha1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'strict-addition', namespace: CALCULATOR },
  spec: { selector: { matchLabels: { app: 'addition' } }, transport: { mode: 'strict' } },
};

export const scenario: Scenario = {
  number: 9,
  title: 'plaintext callers: allowed when permissive, refused when strict',
  async run(stage, findings) {
    const byIp = `http://${stage.pod('addition-1').pod.ip}/addition`;
    const strangers = [1, 2].map(node => stage.stranger(node as 1 | 2));
    const call = (caller: Running, url = BY_NAME) =>
      stage.burst(caller, url, { count: CALLS, concurrency: 4 });
    const served = async () => failedCalls(await stage.burst(stage.stranger(1), BY_NAME)) === 0;
    for (const stranger of strangers) {
      findings.noFailedCall(`permissive: ${stranger.spec.name} by name`, await call(stranger));
      findings.noFailedCall(`permissive: ${stranger.spec.name} by pod IP`, await call(stranger, byIp));
    }
    const refusals = async () => sum(await stage.samples(), 'nodemesh_refusals_total');
    await stage.mesh.namerd.apply(STRICT);
    try {
      const took = await eventually(async () => !(await served()));
      findings.add(
        'strict mode is in force within 5 s',
        'yes',
        took === undefined ? 'no' : 'yes',
        took !== undefined,
      );
      const before = await refusals();
      for (const stranger of strangers) {
        findings.allRefused(`strict: ${stranger.spec.name} by name`, await call(stranger));
        findings.allRefused(`strict: ${stranger.spec.name} by pod IP`, await call(stranger, byIp));
      }
      // Workers hand their counts over once a second.
      await eventually(async () => (await refusals()) - before >= 4 * CALLS);
      findings.atLeast('strict: refusals counted in the metrics', 4 * CALLS, (await refusals()) - before);
      findings.noFailedCall(
        'strict: mathfanboy, from inside the mesh',
        await call(stage.pod('mathfanboy-1')),
      );
      const probed = await stage.cluster.probe(stage.pod('addition-1').pod.id);
      findings.add(
        "strict: a kubelet's probe, from the node itself",
        'answered',
        probed ? 'answered' : 'not answered',
        probed,
      );
    } finally {
      await stage.mesh.namerd.remove(STRICT);
    }
    const took = await eventually(served);
    findings.add(
      'permissive again: strangers are served',
      'yes',
      took === undefined ? 'no' : 'yes',
      took !== undefined,
    );
  },
};
