/** Documents of one kind as files: names, texts, versions. */

import type { Problem } from '#base/config.ts';
import {
  KIND_FACTS,
  type Kind,
  plainResource,
  type Resource,
  type ResourceOf,
  readResources,
  resourceKey,
  showResource,
} from '../../resources/index.ts';
import { contentDigest, formatVersion, parseVersion } from '../version.ts';

export type Decoded<T> =
  | { ok: true; key: string; value: T; version: string }
  | { ok: false; problems: readonly Problem[] };

export interface DocumentCodec<T> {
  readonly kind: string;
  /** The file name of a key; one key, one name. */
  fileOf(key: string): string;
  /** The key that a file name stands for, or undefined for hidden files and those that editors leave. */
  keyOf(file: string): string | undefined;
  /** @param path what problems carry as the file. */
  decode(text: string, path: string, key: string): Decoded<T>;
  /** The text of the file, and the version that {@link decode} will find in it. */
  encode(value: T, counter: number): { text: string; version: string };
}

const SUFFIX = '.yaml';

/** `<name>.yaml`, or `<namespace>.<name>.yaml`: a namespace has no dots. */
export function resourceCodec<K extends Kind>(kind: K): DocumentCodec<ResourceOf<K>> {
  const { namespaced } = KIND_FACTS[kind];
  return {
    kind,
    fileOf,
    keyOf(file) {
      if (file.startsWith('.') || file.endsWith('~') || file.startsWith('#')) return undefined;
      // No key looks like this: the file's complaint will say how it should be named.
      if (!file.endsWith(SUFFIX)) return file;
      const stem = file.slice(0, -SUFFIX.length);
      return namespaced ? stem.replace('.', '/') : stem;
    },
    decode(text, path, key) {
      const { resources, problems } = readResources(text, path);
      const [resource] = resources;
      const complaint = problems.length > 0 ? undefined : complaintAbout(resources, kind, key);
      if (complaint !== undefined)
        return { ok: false, problems: [{ file: path, line: 1, column: 1, path: '', message: complaint }] };
      if (problems.length > 0 || resource === undefined) return { ok: false, problems };
      return { ok: true, key, value: resource as ResourceOf<K>, version: versionOf(resource) };
    },
    encode(value, counter) {
      const version = formatVersion({ counter, digest: digestOf(value) });
      return { text: showResource(value, version), version };
    },
  };
}

function complaintAbout(resources: readonly Resource[], kind: Kind, key: string): string | undefined {
  const [resource, ...more] = resources;
  if (resource === undefined) return `a ${kind} document is expected here`;
  if (more.length > 0) return 'one document per file is expected here';
  if (resource.kind !== kind) return `a ${kind} is expected in this directory, not a ${resource.kind}`;
  const own = resourceKey(resource.metadata);
  return own === key ? undefined : `the file holds ${kind} '${own}': name it '${fileOf(own)}'`;
}

function fileOf(key: string): string {
  return `${key.replace('/', '.')}${SUFFIX}`;
}

/** The written version if the content is still the one it was given to; else the next one, of this content. */
function versionOf(resource: Resource): string {
  const digest = digestOf(resource);
  const written = parseVersion(resource.metadata.resourceVersion ?? '');
  if (written?.digest === digest) return formatVersion(written);
  return formatVersion({ counter: (written?.counter ?? 0) + 1, digest });
}

function digestOf(resource: Resource): string {
  return contentDigest(JSON.stringify(plainResource(resource)));
}
