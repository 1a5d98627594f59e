/** Shapes of the policy truth table: manifests of policies as Kubernetes has them, and who reaches whom under them. */

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

/**
 * CIDRs of the table may name what only a running cluster knows; `expandAddresses` writes the real ones, a peer for each
 * family: `pod:NS/NAME` (its address alone), `cluster` (the pod network), `all` (every address).
 */
export type CidrText = string;

export interface Peer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: CidrText; readonly except?: readonly CidrText[] };
}

export interface Port {
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly port?: number | string;
  readonly endPort?: number;
}

export interface NetworkPolicySpec {
  readonly podSelector: LabelSelector;
  readonly policyTypes?: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly Port[] }[];
  readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly Port[] }[];
}

export interface NetworkPolicyManifest {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: NetworkPolicySpec;
}

/** policy.networking.k8s.io/v1alpha2; exactly one field, as the API asks. */
export type ClusterSubject =
  | { readonly namespaces: LabelSelector }
  | { readonly pods: { readonly namespaceSelector: LabelSelector; readonly podSelector: LabelSelector } };
/** The last three stand in egress rules only. */
export type ClusterPeer =
  | ClusterSubject
  | { readonly nodes: LabelSelector }
  | { readonly networks: readonly CidrText[] }
  | { readonly domainNames: readonly string[] };

type DestinationPort = {
  readonly destinationPort:
    | { readonly number: number }
    | { readonly range: { readonly start: number; readonly end: number } };
};
export type ClusterProtocol =
  | { readonly tcp: DestinationPort }
  | { readonly udp: DestinationPort }
  | { readonly sctp: DestinationPort }
  | { readonly destinationNamedPort: string };

interface ClusterRule {
  readonly name?: string;
  readonly action: 'Accept' | 'Deny' | 'Pass';
  readonly protocols?: readonly ClusterProtocol[];
}
export interface ClusterIngressRule extends ClusterRule {
  readonly from: readonly ClusterSubject[];
}
export interface ClusterEgressRule extends ClusterRule {
  readonly to: readonly ClusterPeer[];
}

export interface ClusterNetworkPolicyManifest {
  readonly apiVersion: 'policy.networking.k8s.io/v1alpha2';
  readonly kind: 'ClusterNetworkPolicy';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly tier: 'Admin' | 'Baseline';
    readonly priority: number;
    readonly subject: ClusterSubject;
    readonly ingress?: readonly ClusterIngressRule[];
    readonly egress?: readonly ClusterEgressRule[];
  };
}

/** What is put into the cluster; everything else is as `cluster.ts` says. */
export interface Setting {
  readonly policies: readonly NetworkPolicyManifest[];
  readonly clusterPolicies?: readonly ClusterNetworkPolicyManifest[];
  /** Labels beside the usual ones, by `NS/POD` and by namespace. */
  readonly labels?: {
    readonly pods?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
}

export interface Probe {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Port that the sender writes: the pod's, or the service's. */
  readonly port: number;
  /** Through the ClusterIP of the service of each pod (see `cluster.ts`) instead of its address. */
  readonly viaService?: true;
  /**
   * Who reaches whom: a row for each sender, a column for each receiver, pods in the order of `PODS`; `o` gets through,
   * `.` does not. The same for IPv4 and IPv6.
   */
  readonly reach: string;
}

export interface Case extends Setting {
  readonly name: string;
  /** Entries of Kubernetes' own suite (test/e2e/network/netpol/network_policy.go, v1.36) whose meaning the case has, by line. */
  readonly e2e?: readonly number[];
  /** What stood, and was in force, before: the case is about the change. */
  readonly before?: Setting;
  readonly probes: readonly Probe[];
}
