/** Requests over connections that are kept go on while namerd is away and while both proxies are replaced at once. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ADDITION_V2, GRPC_CALCULATOR, GRPC_WORKLOADS } from '../../inventory.ts';
import { readCounters } from '../../mesh/counters.ts';
import { described, inForce } from '../http/in-force.ts';
import { type Scenario, since } from '../scenario.ts';
import { canary } from './10-canary.ts';
import { DOCUMENTS } from './15-authorization.ts';
import { EVENLY } from './16-grpc.ts';

const ADDITION = 'http://addition.calculator:5001/addition';
const MULTIPLICATION = 'http://multiplication.calculator:5003/headers';
const LOAD = { connections: 4, perSecond: 60 };
const WITHOUT_MS = 1_000;

export const scenario: Scenario = {
  number: 20,
  title: 'requests go on while namerd is away and both proxies are replaced',
  needs: [ADDITION_V2, ...GRPC_WORKLOADS],
  async run(stage, findings) {
    const { namerd, proxies } = stage.mesh;
    const mathfanboy = stage.pod('mathfanboy-1');
    const twin = stage.cluster.get(`${GRPC_CALCULATOR}/mathfanboy-1`);
    const routed = async () => {
      const { answers } = await stage.order(mathfanboy, { url: ADDITION });
      return answers[0]?.headers['x-share'] === 'half';
    };
    await inForce(stage, findings, [...DOCUMENTS, EVENLY, canary(50, 'half')], routed, async () => {
      const traffic = {
        'of mathfanboy, by HTTPRoute': stage.keepOrdering(mathfanboy, { ...LOAD, url: ADDITION }),
        'of a pod outside the mesh, by AuthorizationPolicy': stage.keepOrdering(stage.stranger(1), {
          ...LOAD,
          url: MULTIPLICATION,
          method: 'GET',
        }),
      };
      const before = await readCounters(twin.counters);
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
      // Its other channels carry bytes: such a connection ends with the proxy that carries it.
      const { division } = await readCounters(twin.counters);
      if (division === undefined) throw new Error('the twin never divided');
      findings.noFailedCall(
        'gRPC calls of the twin, over its own channel',
        since(before['division'], division),
      );
    });
  },
};
