/**
 * `metadata` of a resource document: the rules of Kubernetes for names and labels, so that the same document
 * is good as a file and as a custom resource.
 */

import type { ConfigNode, Fields } from '#base/config.ts';
import { checked } from './values/fields.ts';
import { timestampProblem } from './values/timestamp.ts';

export interface Metadata {
  name: string;
  /** '' for kinds without a namespace (Dtab: its name is the dtab namespace). */
  namespace: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** When it came to be, RFC 3339; absent where nobody has said or noted it. */
  creationTimestamp?: string;
  /** The version the writer started from, if the document says so; never a part of the content. */
  resourceVersion: string | undefined;
}

export interface NameRule {
  /** False for kinds whose name alone identifies them. */
  namespaced: boolean;
  check: (name: string) => string | undefined;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DTAB_NAMESPACE = /^[A-Za-z0-9_-]{1,200}$/;
const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const MAX_SUBDOMAIN = 253;
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** What is wrong with the text as a DNS-1123 label (namespaces, services, service accounts); undefined if nothing. */
export function dnsLabelProblem(text: string): string | undefined {
  if (DNS_LABEL.test(text)) return undefined;
  return `'${text}' is no DNS-1123 label: lower-case letters, digits and '-' inside, at most 63 characters`;
}

/** As {@link dnsLabelProblem}, for labels joined with '.' (workloads, policies). */
export function dnsSubdomainProblem(text: string): string | undefined {
  if (text.length <= MAX_SUBDOMAIN && text.split('.').every(part => DNS_LABEL.test(part))) return undefined;
  return `'${text}' is no DNS-1123 subdomain: lower-case letters, digits, '-' and '.' inside, at most ${MAX_SUBDOMAIN} characters`;
}

/** The names of dtab namespaces, as Linkerd's stores allow them. */
export function dtabNamespaceProblem(text: string): string | undefined {
  if (DTAB_NAMESPACE.test(text)) return undefined;
  return `'${text}' is no dtab namespace: letters, digits, '_' and '-', at most 200 characters`;
}

/** @returns undefined when the name itself is missing or wrong; every problem is reported. */
export function readMetadata(node: ConfigNode | undefined, rule: NameRule): Metadata | undefined {
  if (node === undefined) return undefined;
  const fields = node.fields();
  const name = readName(fields.need('name'), rule.check);
  const namespace = readNamespace(fields, rule);
  const labels = readLabels(fields.get('labels'));
  const annotations = readAnnotations(fields.get('annotations'));
  const creationTimestamp = checked(fields.get('creationTimestamp'), timestampProblem);
  const resourceVersion = fields.get('resourceVersion')?.string();
  // What a Kubernetes API server adds to every object; it says nothing to us.
  for (const added of ['uid', 'generation', 'managedFields']) fields.get(added);
  fields.finish();
  if (name === undefined || namespace === undefined) return undefined;
  const date = creationTimestamp === undefined ? {} : { creationTimestamp };
  return { name, namespace, labels, annotations, ...date, resourceVersion };
}

/** A mapping of label names to values; `{}` when absent. */
export function readLabels(node: ConfigNode | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  eachEntry(node, (name, value, at) => {
    if (!isLabelName(name)) at.problem(`'${name}' is no label name: [prefix/]name of at most 63 characters`);
    else if (!LABEL_VALUE.test(value))
      at.problem(`'${value}' is no label value: letters, digits, '-', '_' and '.', at most 63 characters`);
    else labels[name] = value;
  });
  return labels;
}

function readAnnotations(node: ConfigNode | undefined): Record<string, string> {
  const annotations: Record<string, string> = {};
  let bytes = 0;
  eachEntry(node, (name, value) => {
    annotations[name] = value;
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  });
  if (bytes > MAX_ANNOTATION_BYTES) node?.problem(`more than ${MAX_ANNOTATION_BYTES} bytes of annotations`);
  return annotations;
}

function eachEntry(
  node: ConfigNode | undefined,
  take: (name: string, value: string, at: ConfigNode) => void,
): void {
  const fields = node?.fields();
  for (const name of fields?.names ?? []) {
    const at = fields?.get(name);
    const value = at?.string();
    if (at === undefined) node?.problem(`'${name}' has no value`);
    else if (value !== undefined) take(name, value, at);
  }
}

function readName(node: ConfigNode | undefined, check: NameRule['check']): string | undefined {
  const name = node?.string();
  if (name === undefined) return undefined;
  const problem = check(name);
  if (problem === undefined) return name;
  node?.problem(problem);
  return undefined;
}

function readNamespace(fields: Fields, { namespaced }: NameRule): string | undefined {
  const node = fields.get('namespace');
  // Nothing behind it is not 'default': the object would take effect elsewhere than was meant.
  if (node === undefined && fields.names.includes('namespace'))
    fields.node.problem("'namespace' has no value: give it one, or leave the field out");
  if (namespaced) return node === undefined ? 'default' : readName(node, dnsLabelProblem);
  if (node === undefined) return '';
  node.problem('this kind has no namespace: its name is the dtab namespace');
  return undefined;
}

function isLabelName(text: string): boolean {
  const parts = text.split('/');
  const [prefix, name] = parts.length === 1 ? [undefined, parts[0]] : [parts[0], parts[1]];
  if (parts.length > 2 || !LABEL_NAME.test(name ?? '')) return false;
  return prefix === undefined || dnsSubdomainProblem(prefix) === undefined;
}
