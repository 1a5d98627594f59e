import type { ObjectRef } from '@heddle/api';
import { z } from 'zod';
import type { TrackedObject } from '../../kubernetes/writes/cluster-state.js';
import type { SourceObjects, SourcePod } from '../model.js';
import { CONVERSIONS, type ConvertedKind, type ConvertedValue } from '../objects/conversions.js';
import { failClosed } from '../objects/fail-closed.js';
import { describeIssue, isRecord, withoutNulls } from '../objects/issues.js';
import { CLUSTER_SCOPED, KINDS, type ManifestOf } from '../objects/schemas.js';
import { Interner } from './interner.js';
import type { Read, Reading } from './reflector.js';

/** One resource that is watched: a kind is one row of the table. */
export interface WatchedKind {
  readonly kind: ConvertedKind;
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

interface Row<K extends ConvertedKind> {
  readonly plural: string;
  readonly optional?: true;
  /** What a running cluster adds to the value, or what need not be kept of it. */
  readonly trim?: (value: ConvertedValue<K>, object: unknown) => ConvertedValue<K>;
  /** What counts of an object that is not valid, if something does. */
  readonly salvage?: (
    schema: (typeof KINDS)[K]['schema'],
    object: unknown,
  ) => { readonly body: ManifestOf<K>; readonly warnings: readonly string[] } | undefined;
  readonly about?: (object: unknown) => TrackedObject | undefined;
}

/** The resources to watch. `interner` shares what is equal in many objects. */
export function watchedKinds(interner: Interner = new Interner()): readonly WatchedKind[] {
  const clusterPolicy = { optional: true, salvage: failClosed, about: aboutObject } as const;
  return [
    row('Namespace', { plural: 'namespaces' }),
    row('Pod', { plural: 'pods', trim: (pod, object) => trimmedPod(pod, object, interner) }),
    row('Service', { plural: 'services', about: aboutObject }),
    row('EndpointSlice', { plural: 'endpointslices' }),
    row('NetworkPolicy', { plural: 'networkpolicies', about: aboutObject }),
    row('ClusterNetworkPolicy', { plural: 'clusternetworkpolicies', ...clusterPolicy }),
    row('AdminNetworkPolicy', { plural: 'adminnetworkpolicies', ...clusterPolicy }),
    row('BaselineAdminNetworkPolicy', { plural: 'baselineadminnetworkpolicies', ...clusterPolicy }),
    row('Node', { plural: 'nodes', about: aboutNode }),
  ];
}

/** Of one object, as the API server names it. */
export function resourcePath({ api, plural, namespaced }: WatchedKind, { namespace, name }: ObjectRef): string {
  return namespaced ? `${api}/namespaces/${namespace}/${plural}/${name}` : `${api}/${plural}/${name}`;
}

function row<K extends ConvertedKind>(kind: K, spec: Row<K>): WatchedKind {
  const { apiVersion } = KINDS[kind];
  const { into, keyIn } = CONVERSIONS[kind];
  const namespaced = !CLUSTER_SCOPED.has(kind);
  return {
    kind,
    into,
    api: apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    plural: spec.plural,
    namespaced,
    optional: spec.optional ?? false,
    tracked: spec.about !== undefined,
    keyIn,
    read(object) {
      const key = keyOf(object, namespaced);
      if (key === undefined) return undefined;
      return { key, reading: readingOf(kind, spec, object), about: spec.about?.(object) };
    },
  };
}

function readingOf<K extends ConvertedKind>(kind: K, spec: Row<K>, object: unknown): Reading<unknown> {
  const { schema } = KINDS[kind];
  let parsed = schema.safeParse(object);
  // Go writes some empty fields as null. The copy without them is made only for those objects.
  if (!parsed.success) parsed = schema.safeParse(withoutNulls(object));
  const salvaged = parsed.success ? undefined : spec.salvage?.(schema, withoutNulls(object));
  if (!parsed.success && salvaged === undefined)
    return { kind: 'broken', reasons: parsed.error.issues.map(describeIssue) };
  const converted = CONVERSIONS[kind].convert(salvaged?.body ?? (parsed.data as ManifestOf<K>));
  const warnings = [...(salvaged?.warnings ?? []), ...converted.warnings];
  if (converted.value === undefined) return { kind: 'unused', warnings };
  return { kind: 'value', value: spec.trim?.(converted.value, object) ?? converted.value, warnings };
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

function trimmedPod(pod: SourcePod, raw: unknown, interner: Interner): SourcePod {
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
