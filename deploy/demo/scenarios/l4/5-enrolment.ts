/** A pod that runs already joins the mesh and leaves it again; its process does not notice. */

import { emptyPod, program, VISITORS } from '../../inventory.ts';
import { readCounters } from '../../mesh/counters.ts';
import { sum } from '../../mesh/metrics.ts';
import { TRUST_DOMAIN } from '../../mesh/namerd.ts';
import type { Stage } from '../../stage.ts';
import { eventually, type Findings, type Scenario } from '../scenario.ts';

const NAME = 'latecomer';
const IDENTITY = `spiffe://${TRUST_DOMAIN}/ns/${VISITORS}/sa/${NAME}`;
/** New connections that show which way they go. */
const ENOUGH = 20;

export const scenario: Scenario = {
  number: 5,
  title: 'a running pod is enrolled, then unenrolled, without a restart',
  async run(stage, findings) {
    const env = { OPERATIONS: 'multiplication', PAUSE_MS: '5' };
    const visitor = await stage.cluster.start({
      ...emptyPod(VISITORS, NAME, 1),
      program: program('mathfanboy.ts'),
      env,
    });
    const { pod, app } = visitor;
    const proxy = stage.mesh.proxyOf(pod.node);
    try {
      const pid = app?.pid;
      await goes(stage, findings, 'before', 'plaintext', '');
      await proxy.command('enroll', '--netns', pod.netns.path, '--workload', pod.id);
      await goes(stage, findings, 'enrolled', 'mutual_tls', IDENTITY);
      await proxy.command('unenroll', '--netns', pod.netns.path);
      await goes(stage, findings, 'unenrolled', 'plaintext', '');
      findings.add(
        'it is the same process',
        `running, ${pid}`,
        `${app?.running ? 'running' : 'gone'}, ${app?.pid}`,
        app?.running === true && app.pid === pid,
      );
      const { multiplication } = await readCounters(visitor.counters);
      if (multiplication === undefined) throw new Error('it never called anybody');
      findings.noFailedCall('its calls all the while', multiplication);
    } finally {
      await stage.cluster.remove(pod.id, 'SIGTERM');
    }
  },
};

/** Waits for enough new connections that multiplication's node counted this way; nobody else calls it so. */
async function goes(
  stage: Stage,
  findings: Findings,
  when: string,
  security: string,
  identity: string,
): Promise<void> {
  const mine = {
    reporter: 'destination',
    destination_workload: 'calculator/multiplication-1',
    security,
    source_identity: identity,
  };
  const opened = async () => sum(await stage.samples(), 'nodemesh_connections_opened_total', mine);
  const before = await opened();
  let after = before;
  await eventually(async () => (after = await opened()) - before >= ENOUGH);
  const name = identity === '' ? 'without an identity' : `as ${identity.replace(/^.*\/ns\//, 'ns/')}`;
  findings.atLeast(`${when}: new connections in ${security}, ${name}`, ENOUGH, after - before);
}
