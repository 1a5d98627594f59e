import {
  CONTAINER_PORTS,
  DOMAINS,
  NAMESPACES,
  NODE_LABELS,
  namespaceLabels,
  PLACEMENT,
  PODS,
  type PodName,
  podLabels,
} from './cluster.js';
import { type AddressBook, expandAddresses, expandNetworks } from './manifests.js';
import type { OracleCluster, OracleNode } from './oracle.js';
import type { NetworkPolicyManifest, Setting } from './types.js';

/** Addresses of the cluster of the table where nobody else gives them out: a block for each node. */
export const CLUSTER_CIDRS = ['10.244.0.0/16', 'fd00:10:244::/56'] as const;

export const podIps = (pod: string): readonly [string, string] => {
  const i = PODS.indexOf(pod as PodName);
  if (i < 0) throw new Error(`no pod ${pod} in the table's cluster`);
  const block = PLACEMENT[pod as PodName] * 64;
  const host = 2 + i;
  return [`10.244.0.${block + host}`, `fd00:10:244::${(block * 2 + host).toString(16)}`];
};

export const ADDRESS_BOOK: AddressBook = { podIps, clusterCidrs: CLUSTER_CIDRS };

export const splitName = (pod: string): readonly [namespace: string, name: string] => {
  const [namespace = '', name = ''] = pod.split('/');
  return [namespace, name];
};

/** The nodes with all addresses that are theirs: of the machine, the tunnel's end, and heddle0's. */
export const NODES: readonly OracleNode[] = NODE_LABELS.map((labels, i) => ({
  name: `n${i + 1}`,
  labels,
  addresses: [
    `192.168.7.${i + 1}`,
    `172.31.99.${i + 1}`,
    `10.244.0.${i * 64 + 1}`,
    `fd00:10:244::${(i * 128 + 1).toString(16)}`,
  ],
}));
export const nodeOf = (pod: string): string => NODES[PLACEMENT[pod as PodName]]?.name ?? '';

/** Labels of everything under a setting, and its policies with real addresses. */
export function clusterUnder(setting: Setting): OracleCluster {
  return {
    namespaces: Object.fromEntries(
      NAMESPACES.map((n) => [n, { ...namespaceLabels(n), ...setting.labels?.namespaces?.[n] }]),
    ),
    pods: PODS.map((pod) => {
      const [namespace, name] = splitName(pod);
      const labels = { ...podLabels(name), ...setting.labels?.pods?.[pod] };
      return { namespace, name, labels, node: nodeOf(pod), ips: podIps(pod), containerPorts: CONTAINER_PORTS };
    }),
    policies: setting.policies.map((p): NetworkPolicyManifest => expandAddresses(p, ADDRESS_BOOK)),
    clusterPolicies: (setting.clusterPolicies ?? []).map((p) => expandNetworks(p, ADDRESS_BOOK)),
    nodes: NODES,
    domains: DOMAINS,
  };
}
