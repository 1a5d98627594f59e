import type { Cidr, Ip, Mac, NodeName, Ofport, PortKey, Vpc } from './brands.js';

/**
 * Everything the compiler knows. A fact is a plain value under a key of its kind; it is put or removed as a whole.
 * A fact that refers to something missing is legal and has a defined result.
 */
export type Labels = Readonly<Record<string, string>>;
export type L4Protocol = 'TCP' | 'UDP' | 'SCTP';

/** The one fact of kind 'config', under the key 'config'. */
export interface ConfigFact {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly encap: 'geneve' | 'vxlan';
  readonly routerMac: Mac;
  /** Present families of the pod network. */
  readonly families: readonly (4 | 6)[];
  /** Name servers whose answers count; absent: the addresses of DNS_SERVICE and its endpoints. */
  readonly dnsServers?: readonly Ip[] | undefined;
}

/** Key: the node's name. */
export interface NodeFact {
  readonly name: NodeName;
  /** Underlay address that tunnels to this node end at. */
  readonly encapIp: Ip;
  /** Addresses of the machine, without heddle0's. */
  readonly addresses: readonly Ip[];
  /** heddle0. */
  readonly gateway: { readonly mac: Mac; readonly ips: readonly Ip[]; readonly ofport: Ofport };
  readonly tunnelOfport: Ofport;
  /** Labels of the Kubernetes Node; absent: none known. */
  readonly labels?: Labels | undefined;
}

/** A range of pod addresses held by one node. Key: the CIDR. */
export interface BlockFact {
  readonly cidr: Cidr;
  readonly node: NodeName;
  readonly vpc: Vpc;
}

/** Key: the name. */
export interface NamespaceFact {
  readonly name: string;
  readonly labels: Labels;
}

export interface NamedPort {
  readonly name: string;
  readonly protocol: L4Protocol;
  readonly port: number;
}

/** A pod as the source gives it. Key: NAMESPACE/NAME. */
export interface PodFact {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly hostNetwork: boolean;
  /** Container ports that have a name. */
  readonly namedPorts: readonly NamedPort[];
}

/** A recorded attachment of a pod to a node. Key: NAMESPACE/NAME of the pod. */
export interface AttachmentFact {
  readonly namespace: string;
  readonly pod: string;
  readonly node: NodeName;
  readonly portKey: PortKey;
  readonly ofport: Ofport;
  readonly mac: Mac;
  /** At most one of each family. */
  readonly ips: readonly Ip[];
  readonly vpc: Vpc;
}

/**
 * Keeps a pod classified under the identity that it had (make before break): while this fact stands, the pod's packets
 * carry `identityKey`, and policies cover both that identity and the one of its present labels. Key: NAMESPACE/NAME.
 */
export interface HoldFact {
  readonly namespace: string;
  readonly pod: string;
  /** The identity's canonical text, as `Compiler.identityOf` gave it. */
  readonly identityKey: string;
}

export interface ServicePort {
  /** Empty if the service has one unnamed port. */
  readonly name: string;
  readonly protocol: L4Protocol;
  readonly port: number;
}

/** Key: NAMESPACE/NAME. */
export interface ServiceFact {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIps: readonly Ip[];
  readonly ports: readonly ServicePort[];
}

export interface Endpoint {
  readonly ip: Ip;
  readonly port: number;
}

/** Ready backends of a service, as its EndpointSlices give them together. Key: NAMESPACE/NAME of the service. */
export interface EndpointsFact {
  readonly namespace: string;
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly endpoints: readonly Endpoint[] }[];
  /** Addresses that the service selects or lists and that take no new connections (not ready, terminating). */
  readonly draining?: readonly Ip[] | undefined;
}

/** metav1.LabelSelector; an empty one selects everything. */
export interface LabelSelector {
  readonly matchLabels?: Labels | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

/** networking.k8s.io/v1 NetworkPolicyPeer: exactly ipBlock, or at least one selector. */
export interface PolicyPeer {
  readonly podSelector?: LabelSelector | undefined;
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly ipBlock?: { readonly cidr: Cidr; readonly except: readonly Cidr[] } | undefined;
}

/** networking.k8s.io/v1 NetworkPolicyPort: no port means every port of the protocol. */
export interface PolicyPort {
  readonly protocol: L4Protocol;
  readonly port?: number | string | undefined;
  readonly endPort?: number | undefined;
}

/** An absent or empty list of peers or ports means "all". */
export interface PolicyRule {
  readonly peers: readonly PolicyPeer[];
  readonly ports: readonly PolicyPort[];
}

/** What a policy means for connections that it would deny and that were allowed before; `heddle.dev/existing-connections`. */
export type ExistingConnections = 'keep' | 'recheck' | 'cut';
/** Of which decisions of a policy the switches tell; `heddle.dev/log`. */
export type PolicyLogging = 'none' | 'drops' | 'all';

/** What policies of every kind may say beside their rules. */
export interface PolicyOptions {
  /** Absent: recheck. */
  readonly existing?: ExistingConnections | undefined;
  /** Absent: none. */
  readonly logging?: PolicyLogging | undefined;
}

/** networking.k8s.io/v1 NetworkPolicy, defaults of policyTypes applied. Key: NAMESPACE/NAME. */
export interface NetworkPolicyFact extends PolicyOptions {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: LabelSelector;
  /** Present if the policy isolates its subjects for ingress; the empty list allows nothing. */
  readonly ingress?: readonly PolicyRule[] | undefined;
  readonly egress?: readonly PolicyRule[] | undefined;
}

/** Pods by the labels of their namespace and their own; an empty selector selects everything. */
export interface NamespacedSelector {
  readonly namespaceSelector: LabelSelector;
  readonly podSelector: LabelSelector;
}

/** One peer of a cluster policy's rule (policy.networking.k8s.io/v1alpha2). `nodes`, `networks`, `domains` in egress only. */
export type ClusterPeer =
  | ({ readonly kind: 'pods' } & NamespacedSelector)
  | { readonly kind: 'nodes'; readonly selector: LabelSelector }
  | { readonly kind: 'networks'; readonly cidrs: readonly Cidr[] }
  /** Names in lower case without the final dot; `*.` stands for one or more labels. */
  | { readonly kind: 'domains'; readonly names: readonly string[] };

export interface ClusterRule {
  /** May be empty. */
  readonly name: string;
  readonly action: 'Accept' | 'Deny' | 'Pass';
  /** Never empty: a rule without peers matches nothing. */
  readonly peers: readonly ClusterPeer[];
  /** Empty: every protocol and port. */
  readonly ports: readonly PolicyPort[];
}

/** Names of cluster policies that were objects of another kind begin so; a Kubernetes name has no slash. */
export const ADMIN_POLICY_PREFIX = 'anp/';
export const BASELINE_POLICY_PREFIX = 'banp/';

/** The kind and name of the Kubernetes object that a cluster policy stands for. */
export function clusterPolicyObject(name: string): { readonly kind: string; readonly name: string } {
  if (name.startsWith(ADMIN_POLICY_PREFIX))
    return { kind: 'AdminNetworkPolicy', name: name.slice(ADMIN_POLICY_PREFIX.length) };
  if (name.startsWith(BASELINE_POLICY_PREFIX))
    return { kind: 'BaselineAdminNetworkPolicy', name: name.slice(BASELINE_POLICY_PREFIX.length) };
  return { kind: 'ClusterNetworkPolicy', name };
}

/** policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy. Key: the name. */
export interface ClusterPolicyFact extends PolicyOptions {
  /** Of an AdminNetworkPolicy `anp/NAME`, of a BaselineAdminNetworkPolicy `banp/NAME`; see `clusterPolicyObject`. */
  readonly name: string;
  readonly tier: 'Admin' | 'Baseline';
  /** 0 to 1000; the lowest is judged first, equal ones by name. */
  readonly priority: number;
  readonly subject: NamespacedSelector;
  readonly ingress: readonly ClusterRule[];
  readonly egress: readonly ClusterRule[];
}

/** Addresses that a domain name was seen to have and that still count. Key: the name, in lower case without the final dot. */
export interface DomainFact {
  readonly name: string;
  readonly addresses: readonly Ip[];
}

export interface FactKinds {
  config: ConfigFact;
  node: NodeFact;
  block: BlockFact;
  namespace: NamespaceFact;
  pod: PodFact;
  attachment: AttachmentFact;
  hold: HoldFact;
  service: ServiceFact;
  endpoints: EndpointsFact;
  policy: NetworkPolicyFact;
  clusterPolicy: ClusterPolicyFact;
  domain: DomainFact;
}
export type FactKind = keyof FactKinds;

/** Puts (`value` given) or removes (`value` undefined) one fact. */
export type FactChange = {
  readonly [K in FactKind]: { readonly kind: K; readonly key: string; readonly value: FactKinds[K] | undefined };
}[FactKind];

/** Key of the service that a cluster's pods ask for addresses. */
export const DNS_SERVICE = 'kube-system/kube-dns';

/** The key under which pods, services, policies ... are put. */
export const factKey = (namespace: string, name: string): string => `${namespace}/${name}`;
