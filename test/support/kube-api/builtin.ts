import { KIND_RULES } from './kind-rules.ts';
import { mergeKeysOf } from './merge-keys.ts';
import { type KindRules, METADATA_FIELDS, type Resource, resourceName, storageRules } from './resources.ts';
import type { FieldReaders } from './selectors.ts';
import { serviceRules } from './service-rules.ts';
import type { Json, KubeObject } from './types.ts';

interface Row {
  readonly kind: string;
  readonly plural?: string;
  readonly short?: readonly string[];
  readonly cluster?: true;
  readonly status?: true;
  readonly keepsStatus?: true;
  readonly generation?: readonly string[] | 'all-with-labels';
  /** PUT must name the resourceVersion. */
  readonly conditional?: true;
  readonly createOnUpdate?: true;
  readonly fields?: FieldReaders;
  readonly rules?: KindRules;
  readonly convert?: Resource['convert'];
  readonly storage?: string;
}

const text = (value: Json): string => (value === undefined || value === null ? '' : String(value));
const member = (path: string) => {
  const parts = path.split('.');
  return (o: KubeObject) => text(parts.reduce((v: Json, part) => v?.[part], o));
};
const members = (...paths: readonly string[]): FieldReaders => Object.fromEntries(paths.map((p) => [p, member(p)]));

const reference = (name: string) =>
  ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((f) => `${name}.${f}`);

/** core/v1 Event (stored) and events.k8s.io/v1 Event are two forms of one object. */
const EVENT_NAMES = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;
const renamed = (o: KubeObject, apiVersion: string, names: readonly (readonly [string, string])[]): KubeObject => {
  const to = new Map(names);
  const entries = Object.entries(o).map(([key, value]) => [to.get(key) ?? key, value] as const);
  return { ...(Object.fromEntries(entries) as KubeObject), apiVersion };
};

const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  v1: [
    {
      kind: 'Namespace',
      short: ['ns'],
      cluster: true,
      status: true,
      fields: members('status.phase'),
      rules: KIND_RULES.namespace,
    },
    {
      kind: 'Node',
      short: ['no'],
      cluster: true,
      status: true,
      keepsStatus: true,
      fields: members('spec.unschedulable'),
      rules: KIND_RULES.node,
    },
    {
      kind: 'Pod',
      short: ['po'],
      status: true,
      generation: ['spec'],
      fields: members(
        ...['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork'],
        ...['status.phase', 'status.podIP', 'status.nominatedNodeName'],
      ),
      rules: KIND_RULES.pod,
    },
    {
      kind: 'Service',
      short: ['svc'],
      status: true,
      createOnUpdate: true,
      fields: members('spec.clusterIP', 'spec.type'),
      rules: serviceRules,
    },
    {
      kind: 'Event',
      short: ['ev'],
      createOnUpdate: true,
      fields: members(...reference('involvedObject'), 'reason', 'reportingComponent', 'source', 'type'),
      rules: KIND_RULES.event,
    },
    { kind: 'ConfigMap', short: ['cm'] },
    { kind: 'Secret', fields: members('type'), rules: KIND_RULES.secret },
    { kind: 'ServiceAccount', short: ['sa'] },
    { kind: 'Endpoints', plural: 'endpoints', short: ['ep'] },
  ],
  'events.k8s.io/v1': [
    {
      kind: 'Event',
      short: ['ev'],
      createOnUpdate: true,
      storage: 'events',
      fields: members(...reference('regarding'), 'reason', 'reportingController', 'type'),
      rules: KIND_RULES.event,
      convert: {
        to: (o) => renamed(o, 'events.k8s.io/v1', EVENT_NAMES),
        from: (o) =>
          renamed(
            o,
            'v1',
            EVENT_NAMES.map(([a, b]) => [b, a] as const),
          ),
      },
    },
  ],
  'discovery.k8s.io/v1': [{ kind: 'EndpointSlice', generation: 'all-with-labels', rules: KIND_RULES.endpointSlice }],
  'networking.k8s.io/v1': [
    {
      kind: 'NetworkPolicy',
      plural: 'networkpolicies',
      short: ['netpol'],
      generation: ['spec'],
      rules: KIND_RULES.networkPolicy,
    },
  ],
  'coordination.k8s.io/v1': [{ kind: 'Lease', conditional: true, createOnUpdate: true }],
  'apiextensions.k8s.io/v1': [
    {
      kind: 'CustomResourceDefinition',
      short: ['crd', 'crds'],
      cluster: true,
      status: true,
      conditional: true,
      generation: ['spec'],
    },
  ],
  // Stored for `kubectl apply` of a whole deployment; no controller acts on them and access rules are not evaluated.
  'apps/v1': [
    { kind: 'Deployment', short: ['deploy'], status: true, generation: ['spec'] },
    { kind: 'DaemonSet', short: ['ds'], status: true, generation: ['spec'] },
    { kind: 'ReplicaSet', short: ['rs'], status: true, generation: ['spec'] },
    { kind: 'StatefulSet', short: ['sts'], status: true, generation: ['spec'] },
  ],
  'rbac.authorization.k8s.io/v1': [
    { kind: 'Role' },
    { kind: 'RoleBinding' },
    { kind: 'ClusterRole', cluster: true },
    { kind: 'ClusterRoleBinding', cluster: true },
  ],
  'scheduling.k8s.io/v1': [
    { kind: 'PriorityClass', plural: 'priorityclasses', short: ['pc'], cluster: true, generation: ['value'] },
  ],
  'policy/v1': [{ kind: 'PodDisruptionBudget', short: ['pdb'], status: true, generation: ['spec'] }],
};

function resourceOf(apiVersion: string, row: Row): Resource {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  const singular = row.kind.toLowerCase();
  const plural = row.plural ?? `${singular}s`;
  return {
    group,
    version,
    plural,
    singular,
    kind: row.kind,
    shortNames: row.short ?? [],
    namespaced: row.cluster !== true,
    custom: false,
    status: row.status === true,
    statusWritesMetadata: true,
    keepsStatusOnCreate: row.keepsStatus === true,
    generation: row.generation,
    unconditionalUpdate: row.conditional !== true,
    createOnUpdate: row.createOnUpdate === true,
    storage: row.storage ?? resourceName({ group, plural }),
    fields: { ...METADATA_FIELDS, ...row.fields },
    mergeKeys: mergeKeysOf(row.kind),
    rules: row.rules ?? storageRules,
    schema: undefined,
    convert: row.convert,
  };
}

/** The kinds that are there without any CRD. */
export const BUILTIN: readonly Resource[] = Object.entries(GROUPS).flatMap(([apiVersion, rows]) =>
  rows.map((row) => resourceOf(apiVersion, row)),
);
