/** Between the nodes there is nothing but mutual TLS, and each end is who the registry says it is. */

import { join } from 'node:path';
import { Capture, type Segment } from '../../ground/capture.ts';
import { CALCULATOR } from '../../inventory.ts';
import type { Sample } from '../../mesh/metrics.ts';
import { TRUST_DOMAIN } from '../../mesh/namerd.ts';
import type { Stage } from '../../stage.ts';
import type { Scenario } from '../scenario.ts';

const HBONE_PORT = 15008;
const CALLS = 100;
/** In every plaintext call, and by chance in no ciphertext of this size. */
const TRACES = ['POST /', 'HTTP/1.1', '"op1"', 'x-answered-by'];

export const scenario: Scenario = {
  number: 1,
  title: 'every connection between nodes is mutual TLS with the right identities',
  async run(stage, findings) {
    const capture = await Capture.start('cable-1', join(stage.folder, 'wire.pcap'));
    const answers = await stage.burst(stage.pod('mathfanboy-1'), URL, { count: CALLS, concurrency: 4 });
    const segments = (await capture.stop()).filter(betweenPods);
    findings.noFailedCall('calls from node 1 to node 2', answers);
    const tunnelled = segments.filter(onTunnel);
    findings.atLeast(`packets with data between pods on port ${HBONE_PORT}`, CALLS, tunnelled.length);
    findings.equal('packets with data between pods on any other port', 0, segments.length - tunnelled.length);
    findings.equal('packets with readable parts of a request', 0, segments.filter(readable).length);

    // The same search must find what is there to be found.
    const control = await Capture.start('cable-1', join(stage.folder, 'control.pcap'));
    await stage.burst(stage.stranger(1), URL, { count: 10 });
    const plain = (await control.stop()).filter(betweenPods).filter(readable);
    findings.atLeast('the same search on 10 calls of a pod outside the mesh', 10, plain.length);

    const across = crossing(stage, await stage.samples());
    const unsecured = across.filter(({ labels }) => labels['security'] !== 'mutual_tls');
    findings.atLeast('series of connections between nodes that were counted', 6, across.length);
    findings.equal('of these not secured by mutual TLS', 0, unsecured.length);
    findings.none(
      'of these with a wrong identity at either end',
      across.flatMap(sample => wrongIdentity(stage, sample)),
    );
  },
};

const URL = 'http://multiplication.calculator:5003/multiplication';

function betweenPods({ from, to }: Segment): boolean {
  return from.ip.startsWith('10.244.') && to.ip.startsWith('10.244.');
}

function onTunnel({ from, to }: Segment): boolean {
  return from.port === HBONE_PORT || to.port === HBONE_PORT;
}

function readable({ payload }: Segment): boolean {
  return TRACES.some(trace => payload.includes(trace));
}

/** Counted connections whose two ends are calculator pods on different nodes. */
function crossing(stage: Stage, samples: readonly Sample[]): Sample[] {
  return samples.filter(({ name, labels, value }) => {
    if (name !== 'nodemesh_connections_opened_total' || value === 0) return false;
    const source = stage.cluster.running.get(labels['source_workload'] ?? '');
    const destination = stage.cluster.running.get(labels['destination_workload'] ?? '');
    if (source?.spec.namespace !== CALCULATOR || destination?.spec.namespace !== CALCULATOR) return false;
    return source.spec.node !== destination.spec.node;
  });
}

function wrongIdentity(stage: Stage, { labels }: Sample): string[] {
  return ['source', 'destination'].flatMap(end => {
    const { spec } = stage.cluster.get(labels[`${end}_workload`] ?? '');
    const expected = `spiffe://${TRUST_DOMAIN}/ns/${spec.namespace}/sa/${spec.serviceAccount}`;
    const seen = labels[`${end}_identity`];
    return seen === expected ? [] : [`${end} ${spec.name}: ${seen}`];
  });
}
