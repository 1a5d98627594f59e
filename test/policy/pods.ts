import { CONTAINER_PORTS, NAMESPACES, namespaceLabels, PLACEMENT, PODS, type PodName, podLabels } from './cluster.js';
import { type AddressBook, expandAddresses } from './manifests.js';
import type { OracleCluster } from './oracle.js';
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

/** Labels of everything under a setting, and its policies with real addresses. */
export function clusterUnder(setting: Setting): OracleCluster {
  return {
    namespaces: Object.fromEntries(
      NAMESPACES.map((n) => [n, { ...namespaceLabels(n), ...setting.labels?.namespaces?.[n] }]),
    ),
    pods: PODS.map((pod) => {
      const [namespace, name] = splitName(pod);
      const labels = { ...podLabels(name), ...setting.labels?.pods?.[pod] };
      return { namespace, name, labels, ips: podIps(pod), containerPorts: CONTAINER_PORTS };
    }),
    policies: setting.policies.map((p): NetworkPolicyManifest => expandAddresses(p, ADDRESS_BOOK)),
  };
}
