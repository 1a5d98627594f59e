import {
  type ClusterPeer as ClusterPeerFact,
  type ClusterPolicyFact,
  type ClusterRule as ClusterRuleFact,
  type ConfigFact,
  cidr,
  type FactChange,
  type FactKind,
  factKey,
  ip,
  type L4Protocol,
  mac,
  type NamespacedSelector,
  type NetworkPolicyFact,
  nodeName,
  ofport,
  type PolicyPeer,
  type PolicyPort,
  type PolicyRule,
  portKey,
  vpc,
} from '@heddle/compiler';
import { CONTAINER_PORTS, PLACEMENT, PODS, type PodName, SERVICE_PORTS } from './cluster.js';
import type { OracleCluster } from './oracle.js';
import { CLUSTER_CIDRS, podIps, splitName } from './pods.js';
import type {
  ClusterNetworkPolicyManifest,
  ClusterPeer,
  ClusterProtocol,
  ClusterSubject,
  NetworkPolicyManifest,
  Peer,
  Port,
} from './types.js';

/** The cluster of the table as facts: three nodes, a block of each family on each. */

export const ROUTER_MAC = '0a:58:00:00:00:01';
export const NODES = [0, 1, 2].map((i) => ({
  name: `n${i + 1}`,
  encapIp: `172.31.99.${i + 1}`,
  gatewayIps: [`10.244.0.${i * 64 + 1}`, `fd00:10:244::${(i * 128 + 1).toString(16)}`],
  blocks: [`10.244.0.${i * 64}/26`, `fd00:10:244::${(i * 128).toString(16)}/122`],
  tunnelOfport: 1,
}));

export interface PlacedPod {
  readonly node: string;
  readonly ofport: number;
  readonly mac: string;
}
export const placeOf = (pod: PodName): PlacedPod => {
  const i = PODS.indexOf(pod);
  const node = NODES[PLACEMENT[pod]]?.name ?? '';
  return { node, ofport: 256 + i, mac: `02:00:00:00:00:${(16 + i).toString(16)}` };
};
export const serviceIps = (pod: PodName): readonly [string, string] => {
  const i = PODS.indexOf(pod);
  return [`10.96.0.${10 + i}`, `fd00:10:96::${(10 + i).toString(16)}`];
};

const config = (encap: ConfigFact['encap']): ConfigFact => ({
  clusterCidrs: CLUSTER_CIDRS.map(cidr),
  serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'].map(cidr),
  encap,
  routerMac: mac(ROUTER_MAC),
  families: [4, 6],
});

const portFact = ({ protocol = 'TCP', port, endPort }: Port) => ({ protocol, port, endPort });
const peerFact = ({ podSelector, namespaceSelector, ipBlock }: Peer): PolicyPeer => ({
  podSelector,
  namespaceSelector,
  ipBlock: ipBlock && { cidr: cidr(ipBlock.cidr), except: (ipBlock.except ?? []).map(cidr) },
});
const ruleFact = (peers: readonly Peer[] = [], ports: readonly Port[] = []): PolicyRule => ({
  peers: peers.map(peerFact),
  ports: ports.map(portFact),
});

/** A manifest with real addresses as the fact that the compiler takes. */
export function policyFact({ metadata, spec }: NetworkPolicyManifest): NetworkPolicyFact {
  const types = spec.policyTypes ?? (spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']);
  return {
    ...metadata,
    podSelector: spec.podSelector,
    ...(types.includes('Ingress') ? { ingress: (spec.ingress ?? []).map((r) => ruleFact(r.from, r.ports)) } : {}),
    ...(types.includes('Egress') ? { egress: (spec.egress ?? []).map((r) => ruleFact(r.to, r.ports)) } : {}),
  };
}

const L4 = ['TCP', 'UDP', 'SCTP'] as const;
function protocolFacts(given: ClusterProtocol): readonly PolicyPort[] {
  if ('destinationNamedPort' in given) return L4.map((protocol) => ({ protocol, port: given.destinationNamedPort }));
  const [protocol, { destinationPort: port }] =
    'tcp' in given
      ? (['TCP', given.tcp] as const)
      : 'udp' in given
        ? (['UDP', given.udp] as const)
        : (['SCTP', given.sctp] as const);
  return 'number' in port
    ? [{ protocol, port: port.number }]
    : [{ protocol, port: port.range.start, endPort: port.range.end }];
}
const selectorFact = (subject: ClusterSubject): NamespacedSelector =>
  'namespaces' in subject ? { namespaceSelector: subject.namespaces, podSelector: {} } : subject.pods;
function clusterPeerFact(peer: ClusterPeer): ClusterPeerFact {
  if ('nodes' in peer) return { kind: 'nodes', selector: peer.nodes };
  if ('networks' in peer) return { kind: 'networks', cidrs: peer.networks.map(cidr) };
  if ('domainNames' in peer) return { kind: 'domains', names: peer.domainNames };
  return { kind: 'pods', ...selectorFact(peer) };
}
const clusterRuleFact = (
  rule: {
    readonly name?: string;
    readonly action: ClusterRuleFact['action'];
    readonly protocols?: readonly ClusterProtocol[];
  },
  peers: readonly ClusterPeer[],
): ClusterRuleFact => ({
  name: rule.name ?? '',
  action: rule.action,
  peers: peers.map(clusterPeerFact),
  ports: (rule.protocols ?? []).flatMap(protocolFacts),
});

/** The same for a cluster policy. */
export const clusterPolicyFact = ({ metadata, spec }: ClusterNetworkPolicyManifest): ClusterPolicyFact => ({
  name: metadata.name,
  tier: spec.tier,
  priority: spec.priority,
  subject: selectorFact(spec.subject),
  ingress: (spec.ingress ?? []).map((r) => clusterRuleFact(r, r.from)),
  egress: (spec.egress ?? []).map((r) => clusterRuleFact(r, r.to)),
});

export type FactMap = ReadonlyMap<string, FactChange>;

/** Everything that stands under a cluster: nodes, pods, services and policies. */
export function factsOf(cluster: OracleCluster, encap: ConfigFact['encap'] = 'geneve'): FactMap {
  const facts = new Map<string, FactChange>();
  const put = (change: FactChange) => facts.set(`${change.kind} ${change.key}`, change);
  put({ kind: 'config', key: 'config', value: config(encap) });
  for (const [i, node] of NODES.entries()) {
    put({
      kind: 'node',
      key: node.name,
      value: {
        name: nodeName(node.name),
        encapIp: ip(node.encapIp),
        addresses: [ip(`192.168.7.${i + 1}`)],
        gateway: { mac: mac(`02:00:00:00:01:0${i}`), ips: node.gatewayIps.map(ip), ofport: ofport(2) },
        tunnelOfport: ofport(node.tunnelOfport),
        labels: cluster.nodes.find((n) => n.name === node.name)?.labels,
      },
    });
    for (const block of node.blocks)
      put({ kind: 'block', key: cidr(block), value: { cidr: cidr(block), node: nodeName(node.name), vpc: vpc(1) } });
  }
  for (const [name, labels] of Object.entries(cluster.namespaces))
    put({ kind: 'namespace', key: name, value: { name, labels } });
  for (const pod of cluster.pods) {
    const key = factKey(pod.namespace, pod.name);
    const namedPorts = pod.containerPorts.flatMap(({ name, protocol, containerPort }) =>
      name === undefined ? [] : [{ name, protocol: protocol as L4Protocol, port: containerPort }],
    );
    const { namespace, name, labels } = pod;
    put({
      kind: 'pod',
      key,
      value: { namespace, name, labels, serviceAccount: 'default', hostNetwork: false, namedPorts },
    });
    const place = placeOf(key as PodName);
    put({
      kind: 'attachment',
      key,
      value: {
        namespace,
        pod: name,
        node: nodeName(place.node),
        portKey: portKey(place.ofport),
        ofport: ofport(place.ofport),
        mac: mac(place.mac),
        ips: pod.ips.map(ip),
        vpc: vpc(1),
      },
    });
  }
  for (const pod of PODS) {
    const [namespace, name] = splitName(pod);
    const ports = SERVICE_PORTS.map((p) => ({ name: p.name, protocol: p.protocol, port: p.port }));
    put({ kind: 'service', key: pod, value: { namespace, name, clusterIps: serviceIps(pod).map(ip), ports } });
    const endpoints = SERVICE_PORTS.map((p) => ({
      name: p.name,
      endpoints: podIps(pod).map((address) => ({ ip: ip(address), port: backendPort(p.targetPort) })),
    }));
    put({ kind: 'endpoints', key: pod, value: { namespace, service: name, ports: endpoints } });
  }
  for (const policy of cluster.policies)
    put({
      kind: 'policy',
      key: factKey(policy.metadata.namespace, policy.metadata.name),
      value: policyFact(policy),
    });
  for (const policy of cluster.clusterPolicies)
    put({ kind: 'clusterPolicy', key: policy.metadata.name, value: clusterPolicyFact(policy) });
  for (const [name, addresses] of Object.entries(cluster.domains))
    put({ kind: 'domain', key: name, value: { name, addresses: addresses.map(ip) } });
  return facts;
}

const backendPort = (target: number | string): number =>
  typeof target === 'number' ? target : (CONTAINER_PORTS.find((p) => p.name === target)?.containerPort ?? Number.NaN);

/** Changes that lead from one state to another. */
export function changesBetween(from: FactMap, to: FactMap): FactChange[] {
  const gone = [...from].filter(([id]) => !to.has(id)).map(([, c]) => removal(c.kind, c.key));
  const now = [...to].filter(([id, c]) => JSON.stringify(from.get(id)) !== JSON.stringify(c)).map(([, c]) => c);
  return [...gone, ...now];
}
const removal = <K extends FactKind>(kind: K, key: string): FactChange =>
  ({ kind, key, value: undefined }) as FactChange;
