/** The control API: everything under `/api/1`. */

import type { Authority } from '../../ca/index.ts';
import type { ObjectStatus, Resource } from '../../resources/index.ts';
import type { Route } from '../http/router.ts';
import { authorityRoutes } from './authority.ts';
import { Catalog, type CatalogParts } from './catalog.ts';
import { dtabRoutes } from './dtabs.ts';
import { type NameParts, nameRoutes } from './names.ts';
import { resourceRoutes } from './resources.ts';

export interface ControlParts extends CatalogParts, NameParts {
  /** What would be said about the object if it were stored. */
  foresee: (resource: Resource) => readonly ObjectStatus[];
  /** Undefined when namerd serves no mesh. */
  authority: Authority | undefined;
}

export function controlRoutes(parts: ControlParts): Route[] {
  return [
    ...dtabRoutes(parts.storage.dtabs),
    ...nameRoutes(parts),
    ...resourceRoutes(new Catalog(parts), parts.foresee),
    ...authorityRoutes(parts.authority),
  ];
}
