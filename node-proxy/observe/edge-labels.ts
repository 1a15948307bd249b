/** Who called whom: what edges of connections and of requests have in common. */

import type { Labels } from './bucket-histogram.ts';

export interface Ends {
  reporter: 'source' | 'destination';
  sourceWorkload: string;
  sourceIdentity: string;
  destinationWorkload: string;
  destinationIdentity: string;
  /** `<namespace>/<service>`, or ''. */
  destinationService: string;
}

export const END_LABELS = [
  'reporter',
  'source_workload',
  'source_identity',
  'destination_workload',
  'destination_identity',
  'destination_service',
] as const;

/** As metrics name them. */
export function endLabels(ends: Ends): Labels {
  return {
    reporter: ends.reporter,
    source_workload: ends.sourceWorkload,
    source_identity: ends.sourceIdentity,
    destination_workload: ends.destinationWorkload,
    destination_identity: ends.destinationIdentity,
    destination_service: ends.destinationService,
  };
}

/** Those that are counted together, for there are too many. */
export function otherEnds(reporter: Ends['reporter']): Ends {
  const rest = '(other)';
  return {
    reporter,
    sourceWorkload: rest,
    sourceIdentity: rest,
    destinationWorkload: rest,
    destinationIdentity: rest,
    destinationService: rest,
  };
}

/** The same text for the same ends. None of them has spaces. */
export function endsKey(reporter: Ends['reporter'], ends: Omit<Ends, 'reporter'>): string {
  return (
    `${reporter} ${ends.sourceWorkload} ${ends.sourceIdentity} ${ends.destinationWorkload} ` +
    `${ends.destinationIdentity} ${ends.destinationService}`
  );
}
