/** A pod that runs already joins the mesh and leaves it again; its process does not notice. */

import type { Running } from '../../cluster.ts';
import { emptyPod, program, VISITORS } from '../../inventory.ts';
import { readCounters, type TargetCounters } from '../../mesh/counters.ts';
import { sum } from '../../mesh/metrics.ts';
import { TRUST_DOMAIN } from '../../mesh/namerd.ts';
import type { Stage } from '../../stage.ts';
import { eventually, type Findings, type Scenario, since } from '../scenario.ts';

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
      const before = await called(visitor);
      await proxy.command('enroll', '--netns', pod.netns.path, '--workload', pod.id);
      await goes(stage, findings, 'enrolled', 'mutual_tls', IDENTITY);
      const inside = await called(visitor);
      await proxy.command('unenroll', '--netns', pod.netns.path);
      await goes(stage, findings, 'unenrolled', 'plaintext', '');
      findings.add(
        'it is the same process',
        `running, ${pid}`,
        `${app?.running ? 'running' : 'gone'}, ${app?.pid}`,
        app?.running === true && app.pid === pid,
      );
      findings.noFailedCall('its calls before', before);
      findings.noFailedCall('its calls since it was to be enrolled', since(before, inside));
      findings.noFailedCall('its calls since it was to be unenrolled', since(inside, await called(visitor)));
    } finally {
      await stage.cluster.remove(pod.id, 'SIGTERM');
    }
  },
};

async function called({ counters }: Running): Promise<TargetCounters> {
  const { multiplication } = await readCounters(counters);
  if (multiplication === undefined) throw new Error('it never called anybody');
  return multiplication;
}

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
