/** The scenarios of connections, in order. */

import type { Scenario } from '../scenario.ts';
import { scenario as wire } from './1-wire.ts';
import { scenario as policy } from './2-policy.ts';
import { scenario as transparency } from './3-transparency.ts';
import { scenario as split } from './4-split.ts';
import { scenario as enrolment } from './5-enrolment.ts';
import { scenario as controlPlaneLoss } from './6-control-plane-loss.ts';
import { scenario as replacement } from './7-replacement.ts';
import { scenario as endpointLoss } from './8-endpoint-loss.ts';
import { scenario as plaintext } from './9-plaintext.ts';

export const L4_SCENARIOS: readonly Scenario[] = [
  wire,
  policy,
  transparency,
  split,
  enrolment,
  controlPlaneLoss,
  replacement,
  endpointLoss,
  plaintext,
];
