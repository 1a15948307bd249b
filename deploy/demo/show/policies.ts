/** What the live demo asks of HTTP: percentage is tried again, within a budget; the rest stays bytes. Data only. */

import { policyOf } from '../scenarios/l7/12-retries.ts';

export const SHOWN_POLICIES = [
  policyOf('percentage', 1, { percentCanRetry: 0.2, minRetriesPerSecond: 10, ttl: '10s' }),
  policyOf('division', 0),
];
