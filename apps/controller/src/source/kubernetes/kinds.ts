import type { ObjectRef } from '@heddle/api';
import { ADMIN_POLICY_PREFIX, BASELINE_POLICY_PREFIX } from '@heddle/compiler';
import { z } from 'zod';
import type { TrackedObject } from '../../kubernetes/writes/cluster-state.js';
import type { SourceObjects, SourcePod, ValueOf } from '../model.js';
import {
  adminPolicyOf,
  baselinePolicyOf,
  clusterPolicyOf,
  clusterPolicyWarnings,
} from '../objects/cluster-policies.js';
import {
  namespaceOf,
  nodeOf,
  podOf,
  policyOf,
  policyWarnings,
  serviceOf,
  serviceWarnings,
  sliceOf,
} from '../objects/convert.js';
import { failClosed } from '../objects/fail-closed.js';
import { describeIssue, isRecord, withoutNulls } from '../objects/issues.js';
import { CLUSTER_SCOPED, KINDS, type Kind, type ManifestOf } from '../objects/schemas.js';
import { Interner } from './interner.js';
import type { Read, Reading } from './reflector.js';

/** One resource that is watched: a kind is one row of the table. */
export interface WatchedKind {
  readonly kind: Kind;
  /** The map of the source's objects that it fills. */
  readonly into: keyof SourceObjects;
  /** `/api/v1`, `/apis/GROUP/VERSION`. */
  readonly api: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Served only while its CustomResourceDefinition is installed. */
  readonly optional: boolean;
  /** Something is written back about its objects. */
  readonly tracked: boolean;
  /** From the object's key to the key in `into`. */
  readonly keyIn: (key: string) => string;
  /** Validates an object and trims it; undefined if it has not even a name. */
  read(object: unknown): Read<unknown, TrackedObject> | undefined;
}

interface Row<K extends Kind, M extends keyof SourceObjects> {
  readonly into: M;
  readonly plural: string;
  readonly optional?: true;
  /** A text says why the object is not used; undefined as well, then `warnings` say why. */
  readonly convert: (body: ManifestOf<K>, object: unknown) => ValueOf<M> | string | undefined;
  readonly warnings?: (body: ManifestOf<K>) => readonly string[];
  /** What counts of an object that is not valid, if something does. */
  readonly salvage?: (
    schema: (typeof KINDS)[K]['schema'],
    object: unknown,
  ) => { readonly body: ManifestOf<K>; readonly warnings: readonly string[] } | undefined;
  readonly keyIn?: (key: string) => string;
  readonly about?: (object: unknown) => TrackedObject | undefined;
}

/** The resources to watch. `interner` shares what is equal in many objects. */
export function watchedKinds(interner: Interner = new Interner()): readonly WatchedKind[] {
  return [
    row('Namespace', { into: 'namespaces', plural: 'namespaces', convert: namespaceOf }),
    row('Pod', {
      into: 'pods',
      plural: 'pods',
      convert: (body, object) => trimmedPod(body, object, interner),
    }),
    row('Service', {
      into: 'services',
      plural: 'services',
      convert: serviceOf,
      warnings: serviceWarnings,
      about: aboutObject,
    }),
    row('EndpointSlice', { into: 'slices', plural: 'endpointslices', convert: sliceOf }),
    row('NetworkPolicy', {
      into: 'policies',
      plural: 'networkpolicies',
      convert: policyOf,
      warnings: policyWarnings,
      about: aboutObject,
    }),
    row('ClusterNetworkPolicy', {
      into: 'clusterPolicies',
      plural: 'clusternetworkpolicies',
      optional: true,
      convert: clusterPolicyOf,
      warnings: clusterPolicyWarnings,
      salvage: failClosed,
      about: aboutObject,
    }),
    row('AdminNetworkPolicy', {
      into: 'clusterPolicies',
      plural: 'adminnetworkpolicies',
      optional: true,
      convert: adminPolicyOf,
      warnings: clusterPolicyWarnings,
      salvage: failClosed,
      keyIn: (key) => `${ADMIN_POLICY_PREFIX}${key}`,
      about: aboutObject,
    }),
    row('BaselineAdminNetworkPolicy', {
      into: 'clusterPolicies',
      plural: 'baselineadminnetworkpolicies',
      optional: true,
      convert: baselinePolicyOf,
      warnings: clusterPolicyWarnings,
      salvage: failClosed,
      keyIn: (key) => `${BASELINE_POLICY_PREFIX}${key}`,
      about: aboutObject,
    }),
    row('Node', { into: 'nodes', plural: 'nodes', convert: nodeOf, about: aboutNode }),
  ];
}

/** Of one object, as the API server names it. */
export function resourcePath({ api, plural, namespaced }: WatchedKind, { namespace, name }: ObjectRef): string {
  return namespaced ? `${api}/namespaces/${namespace}/${plural}/${name}` : `${api}/${plural}/${name}`;
}

function row<K extends Kind, M extends keyof SourceObjects>(kind: K, spec: Row<K, M>): WatchedKind {
  const { apiVersion } = KINDS[kind];
  const namespaced = !CLUSTER_SCOPED.has(kind);
  return {
    kind,
    into: spec.into,
    api: apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    plural: spec.plural,
    namespaced,
    optional: spec.optional ?? false,
    tracked: spec.about !== undefined,
    keyIn: spec.keyIn ?? ((key) => key),
    read(object) {
      const key = keyOf(object, namespaced);
      if (key === undefined) return undefined;
      return { key, reading: readingOf(kind, spec, object), about: spec.about?.(object) };
    },
  };
}

function readingOf<K extends Kind, M extends keyof SourceObjects>(
  kind: K,
  spec: Row<K, M>,
  object: unknown,
): Reading<unknown> {
  const { schema } = KINDS[kind];
  let parsed = schema.safeParse(object);
  // Go writes some empty fields as null. The copy without them is made only for those objects.
  if (!parsed.success) parsed = schema.safeParse(withoutNulls(object));
  const salvaged = parsed.success ? undefined : spec.salvage?.(schema, withoutNulls(object));
  if (!parsed.success && salvaged === undefined)
    return { kind: 'broken', reasons: parsed.error.issues.map(describeIssue) };
  const body = salvaged?.body ?? (parsed.data as ManifestOf<K>);
  const value = spec.convert(body, object);
  const warnings = [...(salvaged?.warnings ?? []), ...(spec.warnings?.(body) ?? [])];
  if (typeof value === 'string') return { kind: 'unused', warnings: [value] };
  if (value === undefined) return { kind: 'unused', warnings };
  return { kind: 'value', value, warnings };
}

function keyOf(object: unknown, namespaced: boolean): string | undefined {
  const { name, namespace } = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
  if (typeof name !== 'string' || (namespaced && typeof namespace !== 'string')) return undefined;
  return namespaced ? `${namespace}/${name}` : name;
}

function aboutObject(object: unknown): TrackedObject | undefined {
  const { uid, generation } = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
  if (typeof uid !== 'string') return undefined;
  return { uid, generation: typeof generation === 'number' ? generation : 0 };
}

function aboutNode(object: unknown): TrackedObject | undefined {
  const about = aboutObject(object);
  const status = isRecord(object) && isRecord(object.status) ? object.status : {};
  const conditions: readonly unknown[] = Array.isArray(status.conditions) ? status.conditions : [];
  const condition = conditions.filter(isRecord).find((c) => c.type === 'NetworkUnavailable');
  if (about === undefined || condition === undefined) return about;
  return { ...about, networkUnavailable: `${condition.status} ${condition.reason}` };
}

/** What only a running cluster knows of a pod. */
const PodLife = z.object({
  metadata: z.object({ uid: z.string().optional(), annotations: z.record(z.string(), z.string()).optional() }),
  status: z.object({ phase: z.string().optional() }).optional(),
});
/** For a static pod the kubelet uses the hash of its file as UID, also towards CNI; the mirror pod's own UID is another. */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const ENDED: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

function trimmedPod({ metadata, spec }: ManifestOf<'Pod'>, raw: unknown, interner: Interner): SourcePod {
  const pod = podOf(metadata.namespace, metadata.name, metadata.labels, spec);
  const life = PodLife.safeParse(raw).data;
  const uid = life?.metadata.annotations?.[MIRROR_ANNOTATION] ?? life?.metadata.uid;
  return {
    namespace: interner.text(pod.namespace),
    name: pod.name,
    labels: interner.of(pod.labels),
    serviceAccount: interner.text(pod.serviceAccount),
    hostNetwork: pod.hostNetwork,
    namedPorts: interner.of(pod.namedPorts),
    nodeName: interner.text(pod.nodeName),
    // Environments are the largest part of a pod, may hold secrets, and matter to the lab's own kubelet only.
    containers: interner.of(pod.containers.map((c) => ({ ...c, env: {} }))),
    ...(uid === undefined ? {} : { uid }),
    ...(ENDED.includes(life?.status?.phase) ? { finished: true } : {}),
  };
}
