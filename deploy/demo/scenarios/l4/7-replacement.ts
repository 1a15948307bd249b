/** The proxies of both nodes are replaced by new processes under traffic; no new connection fails. */

import type { Scenario } from '../scenario.ts';

export const scenario: Scenario = {
  number: 7,
  title: 'node-proxy replaced by a new process under traffic',
  async run(stage, findings) {
    const caller = stage.pod('mathfanboy-1');
    const options = { concurrency: 4, pauseMs: 5 };
    const traffic = {
      'across the wire': await stage.keepCalling(
        caller,
        'http://multiplication.calculator:5003/multiplication',
        options,
      ),
      'on the same node': await stage.keepCalling(
        caller,
        'http://addition.calculator:5001/addition',
        options,
      ),
      'from outside the mesh': await stage.keepCalling(
        stage.stranger(1),
        'http://addition.calculator:5001/addition',
        options,
      ),
    };
    try {
      for (const proxy of stage.mesh.proxies) {
        const { before, after } = await proxy.replace();
        const what = `the proxy of ${proxy.node.name} is another process`;
        findings.add(what, `not ${before}`, String(after), after !== undefined && after !== before);
      }
    } finally {
      for (const [what, burst] of Object.entries(traffic))
        findings.noFailedCall(`calls ${what}`, await burst.stop());
    }
  },
};
