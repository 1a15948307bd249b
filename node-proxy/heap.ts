/**
 * How V8 collects garbage here; has to be imported before the first worker is made. A tunnel worker keeps a small heap
 * and moves gigabytes through short-lived buffers outside of it. V8 counts these against a limit that it derives from
 * the small heap, and so marks the whole heap anew every few dozen megabytes: a third of all CPU for bulk.
 */

import { setFlagsFromString } from 'node:v8';

// Buffers count against a limit of their own …
setFlagsFromString('--external-memory-accounted-in-global-limit');
// … that begins here: a limit, not a reservation (megabytes).
setFlagsFromString('--initial-old-space-size=512');
// Small and frequent scavenges let buffers die young (megabytes).
setFlagsFromString('--max-semi-space-size=4');
