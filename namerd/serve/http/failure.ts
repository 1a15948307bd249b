/** A thrown error as an HTTP answer: plain text as Linkerd's namerd gives, JSON for those who ask for it. */

import { MeshError } from '#base/errors.ts';
import { HttpError, type WholeReply } from './exchange.ts';
import { mediaType } from './media-type.ts';

/** Errors of the layers below that have a status of their own. */
const STATUS: Readonly<Record<string, number>> = {
  NM_STORE_EXISTS: 409,
  NM_STORE_NOT_FOUND: 404,
  NM_STORE_KEY: 400,
  NM_STORE_VERSION: 412,
  NM_STORE_FULL: 507,
  NM_STORE_BUSY: 503,
  NM_STORAGE: 500,
  NM_NAME_SYNTAX: 400,
  NM_CONFIG: 400,
  NM_CA_ROTATION: 409,
};

export function failureReply(error: unknown, accept: string | undefined): WholeReply {
  const known = error instanceof MeshError ? error : undefined;
  const status = error instanceof HttpError ? error.status : (STATUS[known?.code ?? ''] ?? 500);
  const headers = error instanceof HttpError ? error.headers : {};
  // An error that is not ours may hold anything: it goes to the log, not to the client.
  const shown = known ?? {
    code: 'NM_INTERNAL',
    message: 'an internal error; see the log of namerd',
    by: 'mesh',
  };
  if (wantsJson(accept))
    return { status, headers, type: 'application/json', body: `${JSON.stringify(shown)}\n` };
  return { status, headers, type: 'text/plain; charset=utf-8', body: `${shown.message}\n` };
}

function wantsJson(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some(range => mediaType(range) === 'application/json');
}
