import { cause } from './errors.ts';
import type { Resource } from './resources.ts';
import { type KubeObject, type Metadata, sameJson } from './types.ts';

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const RBAC_NAME = /^[^/%]+$/;
const LABEL = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Takes the members that clients write out of what it is spread over. */
export const NO_WRITABLE = {
  labels: undefined,
  annotations: undefined,
  finalizers: undefined,
  ownerReferences: undefined,
};
/** The members of metadata that clients write. */
export function onlyWritable(metadata: Partial<Metadata>): Partial<Metadata> {
  const { labels, annotations, finalizers, ownerReferences, generateName } = metadata;
  const kept: Partial<Metadata> = {};
  if (generateName !== undefined) kept.generateName = generateName;
  if (labels != null && Object.keys(labels).length > 0) kept.labels = labels;
  if (annotations != null && Object.keys(annotations).length > 0) kept.annotations = annotations;
  if (finalizers != null && finalizers.length > 0) kept.finalizers = finalizers;
  if (ownerReferences != null && ownerReferences.length > 0) kept.ownerReferences = ownerReferences;
  return kept;
}

export function metadataCauses(resource: Resource, metadata: Metadata) {
  const causes = [];
  const pattern = resource.group === 'rbac.authorization.k8s.io' ? RBAC_NAME : NAME;
  if (!pattern.test(metadata.name) || metadata.name.length > 253)
    causes.push(
      cause.invalid(
        'metadata.name',
        metadata.name,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ),
    );
  for (const value of Object.values(metadata.labels ?? {}))
    if (typeof value !== 'string' || !LABEL.test(value))
      causes.push(
        cause.invalid(
          'metadata.labels',
          value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
      );
  return causes;
}

export function generationChanges(resource: Resource, before: KubeObject, next: KubeObject): boolean {
  if (Array.isArray(resource.generation))
    return resource.generation.some((key: string) => !sameJson(before[key], next[key]));
  const { metadata: _b, status: statusBefore, ...rest } = before;
  const { metadata: _n, status, ...restNext } = next;
  const labels = resource.generation === 'all-with-labels' && !sameJson(before.metadata.labels, next.metadata.labels);
  return (
    labels ||
    !sameJson(rest, restNext) ||
    (resource.generation === 'all-with-status' && !sameJson(status, statusBefore))
  );
}

export const dropUndefined = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: Object.fromEntries(
    Object.entries(object.metadata).filter(([, v]) => v !== undefined),
  ) as unknown as Metadata,
});

/** kind and apiVersion first: a list cuts them off as a prefix. */
export function ordered(object: KubeObject): KubeObject {
  const { kind, apiVersion, metadata, ...rest } = object;
  return { kind, apiVersion, metadata, ...rest };
}
