/** Entry of a tunnel worker's thread. Nothing that it reaches loads `policy/`. */

import { runThread } from './thread-body.ts';
import { TunnelWorker } from './tunnel-worker.ts';

runThread(parts => new TunnelWorker(parts));
