/**
 * Requests over connections that are kept go on while namerd is away and while both proxies are replaced at once,
 * and while endpoints end.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { ADDITION_V2, GRPC_CALCULATOR, GRPC_WORKLOADS, server } from '../../inventory.ts';
import type { Stage } from '../../stage.ts';
import { trafficPolicy } from '../http/documents.ts';
import { described, inForce } from '../http/in-force.ts';
import { eventually, type Findings, type Scenario } from '../scenario.ts';
import { canary } from './10-canary.ts';
import { DOCUMENTS } from './15-authorization.ts';
import { EVENLY, ORDER, outcome } from './16-grpc.ts';

const ADDITION = 'http://addition.calculator:5001/addition';
const MULTIPLICATION = 'http://multiplication.calculator:5003/headers';
const LOAD = { connections: 4, perSecond: 60 };
/** So that every endpoint is asked for sure. */
export const BY_TURNS = trafficPolicy('addition', { balancer: { kind: 'roundRobin' } });
/** For as long as namerd is away and the proxies are replaced. */
const CALLS = 800;
const CALL_PAUSE_MS = 30;
const WITHOUT_MS = 1_000;
const AFTERMATH_MS = 700;

export const scenario: Scenario = {
  number: 20,
  title: 'requests go on while namerd is away, both proxies are replaced, and endpoints end',
  needs: [ADDITION_V2, ...GRPC_WORKLOADS],
  async run(stage, findings) {
    const { namerd, proxies } = stage.mesh;
    const mathfanboy = stage.pod('mathfanboy-1');
    const caller = stage.cluster.get(`${GRPC_CALCULATOR}/multiplication-1`);
    const routed = async () => {
      const { answers } = await stage.order(mathfanboy, { url: ADDITION });
      return answers[0]?.headers['x-share'] === 'half';
    };
    await inForce(stage, findings, [...DOCUMENTS, EVENLY, BY_TURNS, canary(50, 'half')], routed, async () => {
      const traffic = {
        'of mathfanboy, by HTTPRoute': stage.keepOrdering(mathfanboy, { ...LOAD, url: ADDITION }),
        'of a pod outside the mesh, by AuthorizationPolicy': stage.keepOrdering(stage.stranger(1), {
          ...LOAD,
          url: MULTIPLICATION,
          method: 'GET',
        }),
      };
      // Its channel is opened now, so that it is carried as HTTP; one from before carries bytes, and ends with its proxy.
      const calls = stage.call(caller, { ...ORDER, count: CALLS, pauseMs: CALL_PAUSE_MS });
      try {
        await namerd.kill();
        await sleep(WITHOUT_MS);
        await namerd.start();
        await Promise.all(proxies.map(proxy => proxy.replace()));
      } finally {
        for (const [what, order] of Object.entries(traffic)) {
          const delivery = await order.stop();
          findings.equal(`requests ${what}`, `200 ×${delivery.requests}`, described(delivery));
        }
      }
      findings.equal(
        'gRPC calls over one channel, OK and UNKNOWN (a quarter divides by 0)',
        `${(CALLS * 3) / 4}, ${CALLS / 4}`,
        outcome(await calls),
      );
      await withoutEndpoints(stage, findings);
    });
  },
};

/** One more endpoint of addition, which is killed; then another one, which is shut down as a pod should be. */
async function withoutEndpoints(stage: Stage, findings: Findings): Promise<void> {
  const mathfanboy = stage.pod('mathfanboy-1');
  for (const how of ['killed', 'shut down gracefully'] as const) {
    const { spec, app, pod } = await stage.cluster.start(server('addition', 2, 'v1', 2));
    const answers = async () => {
      const { answeredBy } = await stage.order(mathfanboy, { url: ADDITION, count: 20 });
      return (answeredBy[`${spec.name}/v1`] ?? 0) > 0;
    };
    await eventually(answers);
    const order = stage.keepOrdering(mathfanboy, { ...LOAD, url: ADDITION });
    await sleep(AFTERMATH_MS);
    if (how === 'killed') {
      await app?.stop('SIGKILL');
      await sleep(AFTERMATH_MS);
      await stage.cluster.remove(pod.id, 'SIGKILL');
    } else await stage.cluster.shutDown(pod.id);
    await sleep(AFTERMATH_MS);
    const delivery = await order.stop();
    const answered = delivery.answeredBy[`${spec.name}/v1`] ?? 0;
    findings.atLeast(`an endpoint ${how}: requests that it answered before`, 5, answered);
    const failed = delivery.requests - (delivery.statuses['200'] ?? 0);
    // What it had begun to answer nobody can ask again without being told that this is safe.
    const allowed = how === 'killed' ? LOAD.connections : 0;
    findings.add(
      `an endpoint ${how}: requests`,
      `≤ ${allowed} failed`,
      described(delivery),
      failed <= allowed,
    );
  }
}
