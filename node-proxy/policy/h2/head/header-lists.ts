/** Header lists on their way: what is left out, changed and added. Lists that stay as they are stay the same object. */

import { mayBeTrailer } from '../../../http1/index.ts';
import type { Header } from '../../../http2/index.ts';
import type { Plan } from '../../exchange/plan.ts';
import type { HeaderEdits } from '../../view.ts';
import { type H2RequestHead, isReserved } from './request-head.ts';

/** What the application is sent: reserved fields of the client are left out, ours are added. */
export function forwardedRequest(request: H2RequestHead, plan: Plan): readonly Header[] {
  const { headers, pseudo, reserved, hasHost } = request;
  const { path, authority, requestEdits: edits } = plan;
  const drop = edits === undefined || edits.drop.size === 0 ? undefined : edits.drop;
  const list: Header[] = [];
  for (let i = 0; i < pseudo; i++) {
    const field = headers[i] as Header;
    if (field[0] === ':path' && field[1] !== path) list.push([':path', path]);
    else if (field[0] === ':authority' && authority !== undefined) list.push([':authority', authority]);
    else list.push(field);
  }
  if (request.hostOnly) list.push([':authority', authority ?? request.authority]);
  for (let i = pseudo; i < headers.length; i++) {
    const field = headers[i] as Header;
    const name = field[0];
    if (reserved && isReserved(name)) continue;
    // It says what `:authority` says.
    if (hasHost && name === 'host') continue;
    if (drop?.has(name) === true) continue;
    list.push(field);
  }
  if (edits !== undefined) for (const field of edits.fields) list.push(field);
  for (const field of plan.ownFields) list.push(field);
  return list;
}

/** A final response's list, `:status` first. */
export function forwardedResponse(
  headers: readonly Header[],
  edits: HeaderEdits | undefined,
): readonly Header[] {
  if (edits === undefined) return headers;
  const list = headers.filter(([name]) => !edits.drop.has(name));
  for (const field of edits.fields) list.push(field);
  return list;
}

/**
 * Fields after a body (RFC 9110 §6.5.1): those that an application could take for fields of the head are left out.
 * gRPC's metadata may have any name but the mesh's own.
 */
export function forwardedTrailers(headers: readonly Header[], grpc: boolean): readonly Header[] {
  for (const [name] of headers)
    if (!fitsTrailer(name, grpc)) return headers.filter(([each]) => fitsTrailer(each, grpc));
  return headers;
}

function fitsTrailer(name: string, grpc: boolean): boolean {
  if (name.startsWith('grpc-')) return true;
  return grpc ? !isReserved(name) : mayBeTrailer(name);
}
