/**
 * Every default of HTTP policy in one place, with where it comes from. namerd fills them in, node proxies use
 * them for services without a TrafficPolicy.
 */

import type { ClientSettings, ServiceSettings } from './service.ts';

export const DEFAULT_SERVICE_SETTINGS: ServiceSettings = {
  timeouts: {
    // Linkerd: totalTimeoutMs, requestAttemptTimeoutMs: none.
    totalMs: 0,
    perTryMs: 0,
    // Envoy: stream_idle_timeout, 5 minutes.
    idleMs: 300_000,
  },
  retries: {
    // Linkerd: io.l5d.http.nonRetryable5XX.
    classifier: 'nonRetryable5XX',
    // Linkerd: io.l5d.h2.grpc.default, UNAVAILABLE (14); only where a TrafficPolicy names codes or a retryable classifier.
    grpcCodes: [],
    // linkerd2: retry.linkerd.io/limit.
    attempts: 1,
    // Linkerd: constant, 0 ms.
    backoff: { minMs: 0, maxMs: 0 },
    // linkerd2: bodies up to 64 KiB are replayed.
    bodyBytes: 65_536,
    // Linkerd: percentCanRetry 0.2, minRetriesPerSec 10, ttlSecs 10.
    budget: { ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 },
  },
  identifiers: [],
  dtabFrom: [],
};

export const DEFAULT_CLIENT_SETTINGS: ClientSettings = {
  // Linkerd: p2c over peak-EWMA, decayTimeMs 10,000.
  balancer: { kind: 'peakEwma', decayMs: 10_000 },
  // Linkerd: io.l5d.consecutiveFailures, 5, equal-jittered 5 s to 300 s. The share is ours: Envoy's 10 % of two endpoints is none.
  breaker: { failures: 5, minMs: 5_000, maxMs: 300_000, maxEjected: 0.5 },
  // Envoy: circuit_breakers.thresholds, 1,024 each.
  limits: { connections: 1_024, pending: 1_024, requests: 1_024 },
};
