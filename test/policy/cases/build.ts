import type { LabelSelector, NetworkPolicyManifest, NetworkPolicySpec, Peer, Port } from '../types.js';

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
