/** Bounds for counts that are random: so wide that a right system passes, so narrow that a wrong one does not. */

/** One true system in a million falls outside. */
const DOUBT = 1e-6;

/**
 * The counts that `trials` independent draws with `probability` stay within, both ends included: outside on
 * either side with at most half of the doubt. Exact, by summing the binomial distribution.
 */
export function binomialBounds(trials: number, probability: number, doubt = DOUBT): [number, number] {
  if (probability <= 0) return [0, 0];
  if (probability >= 1) return [trials, trials];
  return [
    lowestLikely(trials, probability, doubt / 2),
    trials - lowestLikely(trials, 1 - probability, doubt / 2),
  ];
}

/** The smallest count such that fewer successes have at most the given chance together. */
function lowestLikely(trials: number, probability: number, chance: number): number {
  // Logarithms, because (1 - p)^n alone is below the smallest number for the sizes used here.
  let logTerm = trials * Math.log1p(-probability);
  let below = 0;
  for (let count = 0; count <= trials; count++) {
    below += Math.exp(logTerm);
    if (below > chance) return count;
    logTerm += Math.log((trials - count) / (count + 1)) + Math.log(probability) - Math.log1p(-probability);
  }
  return trials;
}
