/** The mesh API as namerd serves it to node proxies. */

export { MeshRefusal } from './errors.ts';
export { MeshServer, type MeshServerOptions, type MeshServerStats } from './server.ts';
export type { MeshSource, Watched } from './source.ts';
