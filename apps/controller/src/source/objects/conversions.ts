import { ADMIN_POLICY_PREFIX, BASELINE_POLICY_PREFIX } from '@heddle/compiler';
import type { SourceObjects, ValueOf } from '../model.js';
import { adminPolicyOf, baselinePolicyOf, clusterPolicyOf, clusterPolicyWarnings } from './cluster-policies.js';
import {
  namespaceOf,
  nodeOf,
  podOf,
  policyOf,
  policyWarnings,
  serviceOf,
  serviceWarnings,
  sliceOf,
} from './convert.js';
import type { Kind, ManifestOf } from './schemas.js';

/** The map of the source's objects that a kind fills. Workloads fill none: their pods do. */
interface MapOf {
  readonly Namespace: 'namespaces';
  readonly Pod: 'pods';
  readonly Service: 'services';
  readonly EndpointSlice: 'slices';
  readonly NetworkPolicy: 'policies';
  readonly ClusterNetworkPolicy: 'clusterPolicies';
  readonly AdminNetworkPolicy: 'clusterPolicies';
  readonly BaselineAdminNetworkPolicy: 'clusterPolicies';
  readonly Node: 'nodes';
}
/** The kinds that become objects of the source one to one. */
export type ConvertedKind = keyof MapOf & Kind;
export type ConvertedValue<K extends ConvertedKind> = ValueOf<MapOf[K]>;

/** What became of one object. */
export interface Converted<V> {
  /** Undefined: the object is not used, `warnings` say why. */
  readonly value: V | undefined;
  /** What it says that has no effect, a sentence each. */
  readonly warnings: readonly string[];
}

/** How every source takes the objects of one kind. */
export interface Conversion<K extends ConvertedKind> {
  readonly into: MapOf[K] & keyof SourceObjects;
  /** From the object's key to the key in `into`. */
  readonly keyIn: (key: string) => string;
  readonly convert: (body: ManifestOf<K>) => Converted<ConvertedValue<K>>;
}

export const CONVERSIONS: { readonly [K in ConvertedKind]: Conversion<K> } = {
  Namespace: { into: 'namespaces', keyIn: same, convert: (body) => used(namespaceOf(body)) },
  Pod: {
    into: 'pods',
    keyIn: same,
    convert: ({ metadata, spec }) => used(podOf(metadata.namespace, metadata.name, metadata.labels, spec)),
  },
  Service: {
    into: 'services',
    keyIn: same,
    convert: (body) => ({ value: serviceOf(body), warnings: serviceWarnings(body) }),
  },
  EndpointSlice: {
    into: 'slices',
    keyIn: same,
    convert(body) {
      const slice = sliceOf(body);
      return typeof slice === 'string' ? { value: undefined, warnings: [slice] } : used(slice);
    },
  },
  NetworkPolicy: {
    into: 'policies',
    keyIn: same,
    convert: (body) => ({ value: policyOf(body), warnings: policyWarnings(body) }),
  },
  ClusterNetworkPolicy: {
    into: 'clusterPolicies',
    keyIn: same,
    convert: (body) => ({ value: clusterPolicyOf(body), warnings: clusterPolicyWarnings(body) }),
  },
  AdminNetworkPolicy: {
    into: 'clusterPolicies',
    keyIn: (key) => `${ADMIN_POLICY_PREFIX}${key}`,
    convert: (body) => ({ value: adminPolicyOf(body), warnings: clusterPolicyWarnings(body) }),
  },
  BaselineAdminNetworkPolicy: {
    into: 'clusterPolicies',
    keyIn: (key) => `${BASELINE_POLICY_PREFIX}${key}`,
    convert: (body) => ({ value: baselinePolicyOf(body), warnings: clusterPolicyWarnings(body) }),
  },
  Node: { into: 'nodes', keyIn: same, convert: (body) => used(nodeOf(body)) },
};

function same(key: string): string {
  return key;
}

function used<V>(value: V): Converted<V> {
  return { value, warnings: [] };
}
