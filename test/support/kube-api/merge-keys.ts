import type { MergeKeys } from './patch.ts';
import type { Schema } from './schema.ts';

/** Of the pod's spec; also under `spec.template.spec`. */
const POD_SPEC: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  volumes: 'name',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  'containers.env': 'name',
  'containers.ports': 'containerPort',
  'containers.volumeMounts': 'mountPath',
  'containers.volumeDevices': 'devicePath',
  'initContainers.env': 'name',
  'initContainers.ports': 'containerPort',
  'initContainers.volumeMounts': 'mountPath',
};
const under = (prefix: string, keys: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(keys).map(([path, key]) => [`${prefix}.${path}`, key]));
const TEMPLATE = under('spec.template.spec', POD_SPEC);

/** patchMergeKey of k8s.io/api, for the lists that our kinds have. Lists that are not here are replaced. '' is a set of plain values. */
const BY_KIND: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Pod: { ...under('spec', POD_SPEC), 'status.conditions': 'type', 'status.podIPs': 'ip', 'status.hostIPs': 'ip' },
  Node: { 'spec.podCIDRs': '', 'status.conditions': 'type', 'status.addresses': 'type' },
  Namespace: { 'status.conditions': 'type' },
  Service: { 'spec.ports': 'port', 'status.conditions': 'type' },
  ServiceAccount: { secrets: 'name' },
  Deployment: { ...TEMPLATE, 'status.conditions': 'type' },
  DaemonSet: { ...TEMPLATE, 'status.conditions': 'type' },
  StatefulSet: { ...TEMPLATE, 'status.conditions': 'type' },
  ReplicaSet: { ...TEMPLATE, 'status.conditions': 'type' },
};
const METADATA: Readonly<Record<string, string>> = {
  'metadata.ownerReferences': 'uid',
  'metadata.finalizers': '',
};

export function mergeKeysOf(kind: string): MergeKeys {
  const keys = { ...METADATA, ...BY_KIND[kind] };
  return (path) => keys[path];
}

/** Lists of ports, which apply tells apart by their protocol too (listMapKeys of k8s.io/api); a strategic merge patch does not. */
const PORTS: Readonly<Record<string, readonly string[]>> = {
  containerPort: ['containerPort', 'protocol'],
  port: ['port', 'protocol'],
};

/** The keys of a server-side apply. */
export const applyKeys =
  (keys: MergeKeys): MergeKeys =>
  (path) => {
    const key = keys(path);
    return (path.endsWith('ports') && typeof key === 'string' && PORTS[key]) || key;
  };

/** Of a custom resource, for apply: x-kubernetes-list-map-keys. */
export function schemaMergeKeys(schema: Schema | undefined): MergeKeys {
  return (path) => {
    if (METADATA[path] !== undefined) return METADATA[path];
    let place = schema;
    for (const part of path.split('.')) {
      if (place?.type === 'array') place = place.items;
      const additional = place?.additionalProperties;
      place = place?.properties?.[part] ?? (typeof additional === 'object' ? additional : undefined);
    }
    if (place?.['x-kubernetes-list-type'] === 'set') return '';
    return place?.['x-kubernetes-list-type'] === 'map' ? place['x-kubernetes-list-map-keys'] : undefined;
  };
}

/** Label selectors are owned and replaced as a whole by apply. */
const SELECTORS = new Set(['podSelector', 'namespaceSelector', 'selector', 'nodeSelector']);
export const isAtomicInApply = (path: string): boolean => SELECTORS.has(path.split('.').at(-1) as string);
