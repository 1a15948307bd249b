/**
 * A namespace whose HTTP has a thread of its own blows that thread up: thousands of its requests, with all the headers
 * that are taken, wait for an endpoint that is not there, until the thread's heap is full. Nobody else loses anything.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { ADDITION_V2, HOLE, HOLE_IP, TROUBLE, TROUBLEMAKER } from '../../inventory.ts';
import { sum } from '../../mesh/metrics.ts';
import { trafficPolicy } from '../http/documents.ts';
import { described, inForce } from '../http/in-force.ts';
import type { Scenario } from '../scenario.ts';
import { eventually } from '../scenario.ts';
import { canary } from './10-canary.ts';

const CONNECTIONS = 1_600;
const WORKER = `policy/${TROUBLE}`;
const BLOWN_UP_WITHIN_MS = 20_000;
const AFTERMATH_MS = 1_000;
const ADDITION = 'http://addition.calculator:5001/addition';
const MULTIPLICATION = 'http://multiplication.calculator:5003/multiplication';
const LOAD = { connections: 4, perSecond: 100 };

/** Without the limits that would keep most of the requests away. */
export const UNLIMITED = trafficPolicy(
  'hole',
  { limits: { connections: 0, pendingRequests: 0, concurrentRequests: 0 } },
  TROUBLE,
);

export const scenario: Scenario = {
  number: 19,
  title: "a namespace's own HTTP thread is blown up under load; nobody else loses anything",
  needs: [ADDITION_V2, TROUBLEMAKER],
  async run(stage, findings) {
    const maker = stage.cluster.get(`${TROUBLE}/${TROUBLEMAKER.name}`);
    const proxy = stage.mesh.proxyOf(maker.pod.node);
    // Both in one reading: the thread may die again between two.
    const restarts = async () => {
      const metrics = await proxy.metrics();
      const own = sum(metrics, 'nodemesh_worker_restarts_total', { worker: WORKER });
      return { own, others: sum(metrics, 'nodemesh_worker_restarts_total', {}) - own };
    };
    const asks = async () => {
      const { answers } = await stage.order(stage.pod('mathfanboy-1'), { url: ADDITION });
      return answers[0]?.headers['x-share'] === 'load';
    };
    stage.cluster.registry.set(HOLE, { ip: HOLE_IP, ready: true, terminating: false });
    try {
      await inForce(stage, findings, [UNLIMITED, canary(10, 'load')], asks, async () => {
        const before = await restarts();
        const mathfanboy = stage.pod('mathfanboy-1');
        const outsider = await stage.keepCalling(stage.stranger(1), ADDITION, {
          concurrency: 2,
          pauseMs: 10,
        });
        const bytes = await stage.keepCalling(maker, MULTIPLICATION, { concurrency: 2, pauseMs: 10 });
        const http = stage.keepOrdering(mathfanboy, { ...LOAD, url: ADDITION });
        const flood = stage.flood(maker, 'hole.trouble', 80, CONNECTIONS);
        await eventually(async () => (await restarts()).own > before.own, BLOWN_UP_WITHIN_MS);
        await sleep(AFTERMATH_MS);
        await flood.stop('SIGKILL');
        const delivery = await http.stop();
        const after = await restarts();
        findings.atLeast(`times that the thread of '${TROUBLE}' died`, 1, after.own - before.own);
        findings.equal('times that any other thread died', 0, after.others - before.others);
        findings.equal(
          'requests of mathfanboy, by HTTPRoute, on the same node',
          `200 ×${delivery.requests}`,
          described(delivery),
        );
        findings.noFailedCall('connections from outside the mesh, to the same node', await outsider.stop());
        findings.noFailedCall("connections of the troublemaker's own that are no HTTP", await bytes.stop());
        const well = async () => (await stage.order(maker, { url: ADDITION })).statuses['200'] === 1;
        const took = await eventually(well);
        findings.add(
          'the troublemaker asks for HTTP again',
          'answered',
          took === undefined ? 'not answered' : 'answered',
          took !== undefined,
        );
      });
    } finally {
      stage.cluster.registry.remove(HOLE);
    }
  },
};
