const GROUP = 'policy.networking.k8s.io';

/** Where ClusterNetworkPolicies are served when the CRD is established. */
export const CLUSTER_POLICIES = `/apis/${GROUP}/v1alpha2/clusternetworkpolicies`;

/** A CRD of ClusterNetworkPolicy that takes anything, so that Heddle's own checks are what is tested. */
export const CLUSTER_POLICY_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `clusternetworkpolicies.${GROUP}`,
    // Without it the API server takes no CRD of a group of Kubernetes' own.
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
  },
  spec: {
    group: GROUP,
    scope: 'Cluster',
    names: {
      kind: 'ClusterNetworkPolicy',
      listKind: 'ClusterNetworkPolicyList',
      plural: 'clusternetworkpolicies',
      singular: 'clusternetworkpolicy',
    },
    versions: [
      {
        name: 'v1alpha2',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
} as const;
