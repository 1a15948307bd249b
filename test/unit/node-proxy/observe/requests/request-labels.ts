/** An edge for tests, and how it is printed. */

import type { RequestLabels } from '../../../../../node-proxy/policy/flow.ts';

export const requestLabels: RequestLabels = {
  reporter: 'source',
  sourceWorkload: 'calc/fanboy',
  sourceIdentity: 'spiffe://demo/ns/calc/sa/fanboy',
  destinationWorkload: 'calc/addition-1',
  destinationIdentity: 'spiffe://demo/ns/calc/sa/addition',
  destinationService: 'calc/addition',
  route: 'calc/split[0]',
  version: 'http1',
  security: 'mutual_tls',
};

export const PRINTED =
  'reporter="source",source_workload="calc/fanboy",source_identity="spiffe://demo/ns/calc/sa/fanboy",' +
  'destination_workload="calc/addition-1",destination_identity="spiffe://demo/ns/calc/sa/addition",' +
  'destination_service="calc/addition",route="calc/split[0]",version="http1",security="mutual_tls"';
