/** The scenarios of HTTP, in order. */

import type { Scenario } from '../scenario.ts';
import { scenario as canary } from './10-canary.ts';
import { scenario as routes } from './11-routes.ts';
import { scenario as retries } from './12-retries.ts';
import { scenario as breaker } from './13-breaker.ts';
import { scenario as timeouts } from './14-timeouts.ts';
import { scenario as authorization } from './15-authorization.ts';
import { scenario as grpc } from './16-grpc.ts';
import { scenario as websocket } from './17-websocket.ts';
import { scenario as override } from './18-override.ts';
import { scenario as isolation } from './19-isolation.ts';
import { scenario as continuity } from './20-continuity.ts';

export const L7_SCENARIOS: readonly Scenario[] = [
  canary,
  routes,
  retries,
  breaker,
  timeouts,
  authorization,
  grpc,
  websocket,
  override,
  isolation,
  continuity,
];
