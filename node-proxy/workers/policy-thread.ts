/** Entry of a policy worker's thread: the one place that gives a worker `policy/`. */

import { DEFAULT_REQUEST_LOG } from '../observe/requests/request-log.ts';
import { RequestReports } from '../observe/requests/request-reports.ts';
import { DEFAULT_HTTP_LIMITS, HttpPolicy } from '../policy/index.ts';
import { PolicyWorker } from './policy-worker.ts';
import { runThread } from './thread-body.ts';

runThread(parts => {
  const { start, send, clock, random } = parts;
  const reports = new RequestReports({
    node: start.node,
    log: start.requestLog ?? DEFAULT_REQUEST_LOG,
    now: () => clock.now(),
    random,
    send: (deltas, droppedLogLines) => send({ type: 'requests', deltas, droppedLogLines }),
  });
  return new PolicyWorker({
    ...parts,
    reports,
    http: (context, names) =>
      new HttpPolicy({
        context,
        requests: reports.counters,
        ...(reports.log && { log: reports.log }),
        limits: start.httpLimits ?? DEFAULT_HTTP_LIMITS,
        names,
        problem: (about, message) => send({ type: 'problem', about, message }),
      }),
  });
});
