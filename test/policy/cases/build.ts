import type {
  ClusterEgressRule,
  ClusterIngressRule,
  ClusterNetworkPolicyManifest,
  ClusterPeer,
  ClusterProtocol,
  ClusterSubject,
  LabelSelector,
  NetworkPolicyManifest,
  NetworkPolicySpec,
  Peer,
  Port,
} from '../types.js';

/** Short forms of what the manifests of the table repeat. */

export const policy = (namespace: string, name: string, spec: NetworkPolicySpec): NetworkPolicyManifest => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace, name },
  spec,
});

export const all: LabelSelector = {};
/** Selects the pods labelled `pod: NAME`. */
export const pod = (name: string): LabelSelector => ({ matchLabels: { pod: name } });
/** Selects the namespace labelled `ns: NAME`. */
export const ns = (name: string): LabelSelector => ({ matchLabels: { ns: name } });
export const tcp = (port: number | string): Port => ({ protocol: 'TCP', port });
export const udp = (port: number | string): Port => ({ protocol: 'UDP', port });
export const sctp = (port: number | string): Port => ({ protocol: 'SCTP', port });

/** Ingress for the selected pods from these peers (and on these ports) only. */
export const ingressFrom = (
  podSelector: LabelSelector,
  from: readonly Peer[],
  ports?: readonly Port[],
): NetworkPolicySpec => ({ podSelector, policyTypes: ['Ingress'], ingress: [{ from, ...(ports ? { ports } : {}) }] });
/** Egress of the selected pods to these peers (and on these ports) only. */
export const egressTo = (
  podSelector: LabelSelector,
  to: readonly Peer[],
  ports?: readonly Port[],
): NetworkPolicySpec => ({ podSelector, policyTypes: ['Egress'], egress: [{ to, ...(ports ? { ports } : {}) }] });

export const denyIngress: NetworkPolicySpec = { podSelector: {}, policyTypes: ['Ingress'] };
export const denyEgress: NetworkPolicySpec = { podSelector: {}, policyTypes: ['Egress'] };
export const denyAll: NetworkPolicySpec = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };

export const clusterPolicy = (
  name: string,
  spec: ClusterNetworkPolicyManifest['spec'],
): ClusterNetworkPolicyManifest => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind: 'ClusterNetworkPolicy',
  metadata: { name },
  spec,
});
/** Pods of every namespace. */
export const everywhere: ClusterSubject = { namespaces: {} };
/** Pods of the namespace labelled `ns: NAME`. */
export const namespace = (name: string): ClusterSubject => ({ namespaces: ns(name) });
export const podOf = (namespaceName: string, name: string): ClusterSubject => ({
  pods: { namespaceSelector: ns(namespaceName), podSelector: pod(name) },
});
type Action = ClusterIngressRule['action'];
const portless = (protocols: readonly ClusterProtocol[] | undefined) => (protocols === undefined ? {} : { protocols });
export const from = (
  action: Action,
  peers: readonly ClusterSubject[],
  protocols?: readonly ClusterProtocol[],
): ClusterIngressRule => ({ action, from: peers, ...portless(protocols) });
export const to = (
  action: Action,
  peers: readonly ClusterPeer[],
  protocols?: readonly ClusterProtocol[],
): ClusterEgressRule => ({ action, to: peers, ...portless(protocols) });
const destination = (start: number, end?: number) => ({
  destinationPort: end === undefined ? { number: start } : { range: { start, end } },
});
/** One port, or all from the first to the last. */
export const tcpPort = (first: number, last?: number): ClusterProtocol => ({ tcp: destination(first, last) });
export const udpPort = (first: number, last?: number): ClusterProtocol => ({ udp: destination(first, last) });
