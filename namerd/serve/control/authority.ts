/** `/api/1/ca`: what signs certificates now, and replacing it. */

import type { TrustState } from '#api';
import type { Authority } from '../../ca/index.ts';
import { HttpError, json, type Reply } from '../http/exchange.ts';
import type { Route } from '../http/router.ts';

/** @param authority undefined when namerd serves no mesh and so has none. */
export function authorityRoutes(authority: Authority | undefined): Route[] {
  const existing = () => {
    if (authority !== undefined) return authority;
    throw new HttpError(
      404,
      'this namerd has no certificate authority: no io.nodemesh.mesh interface is configured',
    );
  };
  return [
    { pattern: '/api/1/ca', handlers: { GET: () => json(existing().status()) } },
    { pattern: '/api/1/ca/roots', handlers: { GET: () => bundle(existing().trust.current) } },
    { pattern: '/api/1/ca/rotate', handlers: { POST: async () => json(await existing().rotate()) } },
  ];
}

/** What a node proxy must be given to trust namerd before it has joined. */
function bundle({ roots }: TrustState): Reply {
  const body = roots.map(root => `${root.trimEnd()}\n`).join('');
  return { status: 200, type: 'application/x-pem-file', body };
}
