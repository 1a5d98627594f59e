export const POLICY_GROUP = 'policy.networking.k8s.io';

const plural = (kind: string) => `${kind.toLowerCase().slice(0, -1)}ies`;

/** The CustomResourceDefinition of a kind of cluster policies. It takes anything, so that Heddle's own checks are what is tested. */
export const openDefinition = (
  kind: 'ClusterNetworkPolicy' | 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy',
  version: string,
) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural(kind)}.${POLICY_GROUP}`,
    // Without it the API server takes no CRD of a group of Kubernetes' own.
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
  },
  spec: {
    group: POLICY_GROUP,
    scope: 'Cluster',
    names: { kind, listKind: `${kind}List`, plural: plural(kind), singular: kind.toLowerCase() },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
});

export const CLUSTER_POLICY_CRD = openDefinition('ClusterNetworkPolicy', 'v1alpha2');
/** Where ClusterNetworkPolicies are served when the CRD is established. */
export const CLUSTER_POLICIES = `/apis/${POLICY_GROUP}/v1alpha2/clusternetworkpolicies`;

/** Denies every pod everything that comes from pods. */
export const denyingClusterPolicy = (name: string, spec: object = {}) => ({
  apiVersion: `${POLICY_GROUP}/v1alpha2`,
  kind: 'ClusterNetworkPolicy',
  metadata: { name },
  spec: {
    tier: 'Admin',
    priority: 10,
    subject: { namespaces: {} },
    ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
    ...spec,
  },
});
