/** The process that serves the mesh API in the bench: authority and server as in namerd, over a source to choose. */

import { systemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { Certifier, JoinTokens, openOwnAuthority, tokenSha256 } from '../../namerd/ca/index.ts';
import { MeshServer } from '../../namerd/serve/mesh/index.ts';
import {
  type FromServer,
  nodeName,
  nowMs,
  type ServerStart,
  TOKEN,
  type ToServer,
  TRUST_DOMAIN,
} from './messages.ts';
import { fakeSource, registrySource } from './sources.ts';

const DAY = 24 * 3_600_000;

process.once('message', (start: ServerStart) => void serve(start));
process.once('disconnect', () => process.exit());

async function serve({ source: kind, scale, port, dir }: ServerStart): Promise<void> {
  const clock = systemClock;
  const log = silentLog;
  const trustDomain = TRUST_DOMAIN;
  const authority = await openOwnAuthority({ dir, trustDomain, certificateTtlMs: DAY, clock, log });
  const entries = Array.from({ length: scale.proxies }, (_, i) => ({
    name: nodeName(i),
    tokenSha256: tokenSha256(TOKEN),
  }));
  const certifier = new Certifier({
    authority,
    trustDomain,
    ttlMs: DAY,
    tokens: new JoinTokens(entries),
    placement: { nodeRuns: () => true },
    clock,
    log,
  });
  const { source, change } = await (kind === 'fake' ? fakeSource : registrySource)(scale, authority.trust);
  const server = await MeshServer.start({ host: '127.0.0.1', port, certifier, source, clock, log });
  const say = (message: FromServer) => void process.send?.(message);
  process.on('message', (message: ToServer) => {
    if (message.type === 'stats') {
      const { streams, watches, topics } = server.stats();
      say({ type: 'stats', streams, watches, topics });
      return;
    }
    const atMs = nowMs();
    change(message.name, message.mark);
    say({ type: 'changed', mark: message.mark, atMs });
  });
  say({ type: 'listening', port: server.port, roots: authority.trust.current.roots, atMs: nowMs() });
}
