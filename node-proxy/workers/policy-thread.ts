/** Entry of a policy worker's thread: the one place that gives a worker `policy/`. */

import { RequestCounters } from '../observe/requests/request-counters.ts';
import { DEFAULT_HTTP_LIMITS, HttpPolicy } from '../policy/index.ts';
import { PolicyWorker } from './policy-worker.ts';
import { runThread } from './thread-body.ts';

runThread(parts => {
  const requests = new RequestCounters();
  return new PolicyWorker({
    ...parts,
    http: (context, names) =>
      new HttpPolicy({
        context,
        requests,
        limits: DEFAULT_HTTP_LIMITS,
        names,
        problem: (about, message) => parts.send({ type: 'problem', about, message }),
      }),
  });
});
