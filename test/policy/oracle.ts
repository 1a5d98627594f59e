import type {
  ClusterNetworkPolicyManifest,
  ClusterPeer,
  ClusterProtocol,
  ClusterSubject,
  LabelSelector,
  NetworkPolicyManifest,
  Peer,
  Port,
} from './types.js';

/**
 * NetworkPolicy and ClusterNetworkPolicy read straight from the prose of the networking.k8s.io/v1 and
 * policy.networking.k8s.io/v1alpha2 references, one packet at a time: no identities, no sets, nothing remembered. It shares no
 * code with the compiler.
 */

export interface OraclePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of the node that it runs on. */
  readonly node: string;
  readonly ips: readonly string[];
  readonly containerPorts: readonly {
    readonly name?: string;
    readonly protocol: string;
    readonly containerPort: number;
  }[];
}

export interface OracleNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
}

export interface OracleCluster {
  /** Labels of each namespace, as given. */
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pods: readonly OraclePod[];
  readonly policies: readonly NetworkPolicyManifest[];
  readonly clusterPolicies: readonly ClusterNetworkPolicyManifest[];
  readonly nodes: readonly OracleNode[];
  /** Addresses that each name was seen to have. */
  readonly domains: Readonly<Record<string, readonly string[]>>;
}

/** The first packet of a connection as it arrives at the receiver, behind any service; ICMP has no port. */
export interface OraclePacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
  readonly port?: number;
  /** It was sent to a service address. */
  readonly viaService?: boolean;
}

type Labels = Readonly<Record<string, string>>;

/** "A null label selector matches no objects, an empty label selector matches all objects." Requirements are ANDed. */
function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = Object.hasOwn(labels, key);
    const listed = has && values.includes(labels[key] as string);
    const met = operator === 'In' ? listed : operator === 'NotIn' ? !listed : operator === 'Exists' ? has : !has;
    if (!met) return false;
  }
  return true;
}

/** The address as an array of bits. */
function bitsOf(address: string): number[] {
  if (!address.includes(':')) return address.split('.').flatMap((part) => bits(Number(part), 8));
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].flatMap((group) => bits(Number.parseInt(group, 16), 16));
}
const bits = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (value >> (count - 1 - i)) & 1);

function inCidr(address: string, cidr: string): boolean {
  const [network = '', length = ''] = cidr.split('/');
  if (network.includes(':') !== address.includes(':')) return false;
  const [a, b] = [bitsOf(address), bitsOf(network)];
  for (let i = 0; i < Number(length); i++) if (a[i] !== b[i]) return false;
  return true;
}

function podOf(cluster: OracleCluster, address: string): OraclePod | undefined {
  return cluster.pods.find((p) => p.ips.includes(address));
}

/** "The API server sets the label kubernetes.io/metadata.name on every namespace to its name." */
function namespaceLabels(cluster: OracleCluster, name: string): Labels {
  return { ...cluster.namespaces[name], 'kubernetes.io/metadata.name': name };
}

function peerMatches(cluster: OracleCluster, policy: NetworkPolicyManifest, peer: Peer, address: string): boolean {
  if (peer.ipBlock !== undefined) {
    // "except is a slice of CIDRs that should not be included within an IPBlock."
    if (!inCidr(address, peer.ipBlock.cidr)) return false;
    return !(peer.ipBlock.except ?? []).some((e) => inCidr(address, e));
  }
  const pod = podOf(cluster, address);
  if (pod === undefined) return false;
  // "If namespaceSelector is not set, podSelector selects the Pods matching in the policy's own namespace."
  if (peer.namespaceSelector === undefined) {
    if (pod.namespace !== policy.metadata.namespace) return false;
  } else if (!selects(peer.namespaceSelector, namespaceLabels(cluster, pod.namespace))) return false;
  // "If podSelector is not set, the rule selects all Pods in the Namespaces selected by namespaceSelector."
  return peer.podSelector === undefined || selects(peer.podSelector, pod.labels);
}

/** `receiver`: the pod whose container ports a name means, if it is known to be a pod. */
function portMatches(port: Port, packet: OraclePacket, receiver: OraclePod | undefined): boolean {
  // "If not specified, this field defaults to TCP."
  if ((port.protocol ?? 'TCP') !== packet.protocol || packet.port === undefined) return false;
  // "If this field is not provided, this matches all port names and numbers."
  if (port.port === undefined) return true;
  if (typeof port.port === 'string') {
    const named = receiver?.containerPorts ?? [];
    return named.some((c) => c.name === port.port && c.protocol === packet.protocol && c.containerPort === packet.port);
  }
  // "endPort indicates that the range of ports from port to endPort, inclusive, should be allowed by the policy."
  return packet.port >= port.port && packet.port <= (port.endPort ?? port.port);
}

interface Rule {
  readonly peers: readonly Peer[];
  readonly ports: readonly Port[];
}

/** "A rule matches traffic if and only if the traffic matches at least one item of both lists; an empty list matches all." */
function ruleAllows(
  cluster: OracleCluster,
  policy: NetworkPolicyManifest,
  rule: Rule,
  packet: OraclePacket,
  other: string,
  direction: 'Ingress' | 'Egress',
): boolean {
  const receiver = podOf(cluster, packet.destination);
  const portsMatch = (named: OraclePod | undefined) =>
    rule.ports.length === 0 || rule.ports.some((port) => portMatches(port, packet, named));
  if (rule.peers.length === 0) return portsMatch(receiver);
  return rule.peers.some(
    (peer) =>
      peerMatches(cluster, policy, peer, other) &&
      // A block of addresses names no pod, so no container port can be named behind it.
      portsMatch(direction === 'Egress' && peer.ipBlock !== undefined ? undefined : receiver),
  );
}

/** "If this field is not specified, it will default based on the existence of ingress or egress rules; policies that
 * contain an egress section are assumed to affect egress, and all policies (whether or not they contain an ingress
 * section) are assumed to affect ingress." */
function policyTypes({ spec }: NetworkPolicyManifest): readonly string[] {
  if (spec.policyTypes !== undefined) return spec.policyTypes;
  return (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** Undefined: no NetworkPolicy selects the pod for the direction. */
function networkPolicyAllows(
  cluster: OracleCluster,
  subject: OraclePod,
  packet: OraclePacket,
  direction: 'Ingress' | 'Egress',
): boolean | undefined {
  const policies = cluster.policies.filter(
    (p) =>
      p.metadata.namespace === subject.namespace &&
      policyTypes(p).includes(direction) &&
      selects(p.spec.podSelector, subject.labels),
  );
  // "By default, a pod is non-isolated; all connections are allowed."
  if (policies.length === 0) return undefined;
  // "A Pod cannot block access to itself." and "Traffic to and from the node where a Pod is running is always allowed."
  const other = direction === 'Ingress' ? packet.source : packet.destination;
  if (podOf(cluster, other) === subject) return true;
  if (cluster.nodes.find((n) => n.name === subject.node)?.addresses.includes(other)) return true;
  return policies.some((policy) => {
    const rules: readonly Rule[] =
      direction === 'Ingress'
        ? (policy.spec.ingress ?? []).map((r) => ({ peers: r.from ?? [], ports: r.ports ?? [] }))
        : (policy.spec.egress ?? []).map((r) => ({ peers: r.to ?? [], ports: r.ports ?? [] }));
    return rules.some((rule) => ruleAllows(cluster, policy, rule, packet, other, direction));
  });
}

/** "Namespaces is used to select pods via namespace selectors. Pods is used to select pods via namespace AND pod selectors." */
function podSelected(cluster: OracleCluster, subject: ClusterSubject, pod: OraclePod): boolean {
  const labels = namespaceLabels(cluster, pod.namespace);
  if ('namespaces' in subject) return selects(subject.namespaces, labels);
  return selects(subject.pods.namespaceSelector, labels) && selects(subject.pods.podSelector, pod.labels);
}

function clusterPeerMatches(cluster: OracleCluster, peer: ClusterPeer, address: string): boolean {
  // "It selects the nodeIPs as the peer type ... if present but empty, it selects all Nodes."
  if ('nodes' in peer) return cluster.nodes.some((n) => selects(peer.nodes, n.labels) && n.addresses.includes(address));
  // "Cluster-internal traffic will be checked against the rule as well."
  if ('networks' in peer) return peer.networks.some((cidr) => inCidr(address, cidr));
  if ('domainNames' in peer)
    return peer.domainNames.some((wanted) =>
      Object.entries(cluster.domains).some(
        ([name, addresses]) => domainMatches(wanted, name) && addresses.includes(address),
      ),
    );
  const pod = podOf(cluster, address);
  return pod !== undefined && podSelected(cluster, peer, pod);
}

/** "'*', the wildcard specifier, matches one or more entire labels. It may only be specified as a prefix." */
function domainMatches(wanted: string, name: string): boolean {
  if (!wanted.startsWith('*.')) return wanted === name;
  const [ending, labels] = [wanted.split('.').slice(1), name.split('.')];
  return labels.length > ending.length && ending.every((label, i) => labels.at(i - ending.length) === label);
}

function protocolMatches(given: ClusterProtocol, packet: OraclePacket, receiver: OraclePod | undefined): boolean {
  if (packet.port === undefined) return false;
  // "DestinationNamedPort selects a destination port on a pod based on the ContainerPort name."
  if ('destinationNamedPort' in given)
    return (receiver?.containerPorts ?? []).some(
      (c) => c.name === given.destinationNamedPort && c.protocol === packet.protocol && c.containerPort === packet.port,
    );
  const [[protocol, { destinationPort }]] = Object.entries(given) as [
    [string, { destinationPort: { number: number } | { range: { start: number; end: number } } }],
  ];
  if (protocol.toUpperCase() !== packet.protocol) return false;
  // "start defines a network port that is the start of a port range ... end specifies the last port in the range."
  return 'number' in destinationPort
    ? packet.port === destinationPort.number
    : packet.port >= destinationPort.range.start && packet.port <= destinationPort.range.end;
}

/** What the tier does with the packet; undefined: no rule of it matches. */
function tierSays(
  cluster: OracleCluster,
  tier: 'Admin' | 'Baseline',
  subject: OraclePod,
  packet: OraclePacket,
  direction: 'Ingress' | 'Egress',
): 'Accept' | 'Deny' | 'Pass' | undefined {
  const other = direction === 'Ingress' ? packet.source : packet.destination;
  const receiver = podOf(cluster, packet.destination);
  // "Policies with lower priority values have higher precedence." Which of equal ones comes first is ours to choose: by name.
  const policies = cluster.clusterPolicies
    .filter((p) => p.spec.tier === tier && podSelected(cluster, p.spec.subject, subject))
    .toSorted((a, b) => a.spec.priority - b.spec.priority || (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const { spec } of policies) {
    const rules =
      direction === 'Ingress'
        ? (spec.ingress ?? []).map((r) => ({ ...r, peers: r.from as readonly ClusterPeer[] }))
        : (spec.egress ?? []).map((r) => ({ ...r, peers: r.to }));
    // "A rule that appears at the top of the rules would take the highest precedence."
    for (const { action, peers, protocols } of rules) {
      // "DomainNames is only supported for Accept rules."
      const usable = peers.filter((p) => action === 'Accept' || !('domainNames' in p));
      const met = usable.some(
        (peer) =>
          clusterPeerMatches(cluster, peer, other) &&
          // "If unspecified, protocol-specific attributes will not be used to match traffic."
          (protocols === undefined ||
            protocols.some((p) =>
              // "You can't use this in a rule that targets resources without named ports (e.g. Nodes or Networks)."
              protocolMatches(p, packet, 'namespaces' in peer || 'pods' in peer ? receiver : undefined),
            )),
      );
      if (met) return action;
    }
  }
  return undefined;
}

/** The tiers in their order: Admin, NetworkPolicy, Baseline. */
function directionAllows(
  cluster: OracleCluster,
  subject: OraclePod,
  packet: OraclePacket,
  direction: 'Ingress' | 'Egress',
): boolean {
  // "If Admin tier has made a final decision (Accept or Deny) on a connection, then no further evaluation is done."
  const admin = tierSays(cluster, 'Admin', subject, packet, direction);
  if (admin === 'Accept' || admin === 'Deny') return admin === 'Accept';
  // "v1.NetworkPolicy always makes a final decision for selected pods."
  const networkPolicy = networkPolicyAllows(cluster, subject, packet, direction);
  if (networkPolicy !== undefined) return networkPolicy;
  // "If a given connection wasn't allowed or denied by any of the tiers, the default kubernetes policy is applied."
  return tierSays(cluster, 'Baseline', subject, packet, direction) !== 'Deny';
}

/** "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and
 * the ingress policy on the destination pod need to allow the connection." */
export function oracleAllows(cluster: OracleCluster, packet: OraclePacket): boolean {
  const source = podOf(cluster, packet.source);
  const destination = podOf(cluster, packet.destination);
  // "A Pod connecting to its own Pod IP is not subject to CNP. A Pod connecting to a Service IP that the service proxy
  // load-balances back to the same Pod is subject to ClusterNetworkPolicy."
  if (source !== undefined && source === destination && packet.viaService !== true) return true;
  if (source !== undefined && !directionAllows(cluster, source, packet, 'Egress')) return false;
  return destination === undefined || directionAllows(cluster, destination, packet, 'Ingress');
}
