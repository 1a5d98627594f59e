import { cidr, ip, mac, nodeName, ofport, portKey, vpc } from '../model/brands.js';
import {
  type ClusterPeer,
  type ClusterPolicyFact,
  type ClusterRule,
  type ConfigFact,
  type Endpoint,
  type FactChange,
  factKey,
  type Labels,
  type NamedPort,
  type NetworkPolicyFact,
  type ServicePort,
} from '../model/facts.js';
import { GROUP_IDS, ID_KINDS, type IdKind, type IdSource } from '../model/output.js';

/** Facts for tests, written short. Not part of what the package exports. */

/** Numbers in the order in which they are asked for. */
export function countingIds(): IdSource & { readonly given: ReadonlyMap<string, number> } {
  const given = new Map<string, number>();
  const next: Record<IdKind, number> = { identity: 256, group: 1, conjunction: 1, object: 1 };
  return {
    given,
    number(kind, key) {
      if (!ID_KINDS.includes(kind)) throw new TypeError(kind);
      const id = `${kind} ${key}`;
      let n = given.get(id);
      if (n === undefined) {
        n = next[kind]++;
        given.set(id, n);
      }
      if (kind === 'group' && n > GROUP_IDS.max - GROUP_IDS.min) throw new RangeError('no group ids left');
      return n;
    },
  };
}

export const CONFIG: ConfigFact = {
  clusterCidrs: [cidr('10.244.0.0/16'), cidr('fd00:10:244::/56')],
  serviceCidrs: [cidr('10.96.0.0/16'), cidr('fd00:10:96::/112')],
  encap: 'geneve',
  routerMac: mac('0a:58:00:00:00:01'),
  families: [4, 6],
};
export const config = (change: Partial<ConfigFact> = {}): FactChange => ({
  kind: 'config',
  key: 'config',
  value: { ...CONFIG, ...change },
});

/** Node N: node1, 172.31.99.1, heddle0 with 10.244.N.1. */
export const node = (n: number, labels?: Labels): FactChange => ({
  kind: 'node',
  key: `node${n}`,
  value: {
    name: nodeName(`node${n}`),
    encapIp: ip(`172.31.99.${n}`),
    addresses: [ip(`172.31.99.${n}`), ip(`fd00:31:99::${n}`)],
    gateway: {
      mac: mac(`0a:58:00:00:01:0${n}`),
      ips: [ip(`10.244.${n}.1`), ip(`fd00:10:244:${n}::1`)],
      ofport: ofport(2),
    },
    tunnelOfport: ofport(1),
    ...(labels === undefined ? {} : { labels }),
  },
});
export const noNode = (n: number): FactChange => ({ kind: 'node', key: `node${n}`, value: undefined });

/** The two blocks of node N. */
export const blocks = (n: number): FactChange[] =>
  [cidr(`10.244.${n}.0/26`), cidr(`fd00:10:244:${n}::/122`)].map((c) => ({
    kind: 'block',
    key: c,
    value: { cidr: c, node: nodeName(`node${n}`), vpc: vpc(1) },
  }));

export const namespace = (name: string, labels: Labels = {}): FactChange => ({
  kind: 'namespace',
  key: name,
  value: { name, labels },
});

const split = (name: string): [string, string] => name.split('/') as [string, string];

export const pod = (
  name: string,
  labels: Labels = {},
  more: { namedPorts?: readonly NamedPort[]; hostNetwork?: boolean; serviceAccount?: string } = {},
): FactChange => {
  const [ns, n] = split(name);
  return {
    kind: 'pod',
    key: name,
    value: {
      namespace: ns,
      name: n,
      labels,
      serviceAccount: more.serviceAccount ?? 'default',
      hostNetwork: more.hostNetwork ?? false,
      namedPorts: more.namedPorts ?? [],
    },
  };
};
export const noPod = (name: string): FactChange => ({ kind: 'pod', key: name, value: undefined });

/** The pod's H-th address on node N: 10.244.N.H, port 256 + H. */
export const attach = (name: string, n: number, h: number): FactChange => {
  const [ns, p] = split(name);
  const hex = (x: number) => x.toString(16).padStart(2, '0');
  return {
    kind: 'attachment',
    key: name,
    value: {
      namespace: ns,
      pod: p,
      node: nodeName(`node${n}`),
      portKey: portKey(n * 1000 + h),
      ofport: ofport(256 + h),
      mac: mac(`0a:58:0a:f4:${hex(n)}:${hex(h)}`),
      ips: [ip(`10.244.${n}.${h}`), ip(`fd00:10:244:${n}::${h.toString(16)}`)],
      vpc: vpc(1),
    },
  };
};
export const detach = (name: string): FactChange => ({ kind: 'attachment', key: name, value: undefined });

export const hold = (name: string, identityKey: string | undefined): FactChange => {
  const [ns, p] = split(name);
  return {
    kind: 'hold',
    key: name,
    value: identityKey === undefined ? undefined : { namespace: ns, pod: p, identityKey },
  };
};

export const service = (name: string, clusterIps: readonly string[], ports: readonly ServicePort[]): FactChange => {
  const [ns, n] = split(name);
  return { kind: 'service', key: name, value: { namespace: ns, name: n, clusterIps: clusterIps.map(ip), ports } };
};
export const noService = (name: string): FactChange => ({ kind: 'service', key: name, value: undefined });

/** Endpoints as `ADDRESS PORT`. */
export const endpoints = (name: string, ports: Readonly<Record<string, readonly string[]>>): FactChange => {
  const [ns, n] = split(name);
  const parse = (text: string): Endpoint => {
    const [address = '', port = ''] = text.split(' ');
    return { ip: ip(address), port: Number(port) };
  };
  return {
    kind: 'endpoints',
    key: name,
    value: {
      namespace: ns,
      service: n,
      ports: Object.entries(ports).map(([portName, list]) => ({ name: portName, endpoints: list.map(parse) })),
    },
  };
};

export const policy = (name: string, spec: Omit<NetworkPolicyFact, 'namespace' | 'name'>): FactChange => {
  const [ns, n] = split(name);
  return { kind: 'policy', key: factKey(ns, n), value: { namespace: ns, name: n, ...spec } };
};
export const noPolicy = (name: string): FactChange => ({ kind: 'policy', key: name, value: undefined });

/** A cluster policy of the tier Admin for every pod, unless said otherwise. */
export const clusterPolicy = (
  name: string,
  spec: Partial<Omit<ClusterPolicyFact, 'name'>>,
): { readonly kind: 'clusterPolicy'; readonly key: string; readonly value: ClusterPolicyFact } => ({
  kind: 'clusterPolicy',
  key: name,
  value: {
    tier: 'Admin',
    priority: 5,
    subject: { namespaceSelector: {}, podSelector: {} },
    ingress: [],
    egress: [],
    ...spec,
    name,
  },
});
export const noClusterPolicy = (name: string): FactChange => ({ kind: 'clusterPolicy', key: name, value: undefined });
/** A rule of a cluster policy without ports. */
export const clusterRule = (
  action: ClusterRule['action'],
  peers: readonly ClusterPeer[],
  more: Partial<ClusterRule> = {},
): ClusterRule => ({ name: '', action, peers, ports: [], ...more });
/** Pods of the labels, in every namespace. */
export const podsWith = (matchLabels: Labels): ClusterPeer => ({
  kind: 'pods',
  namespaceSelector: {},
  podSelector: { matchLabels },
});

export const domain = (name: string, ...addresses: readonly string[]): FactChange => ({
  kind: 'domain',
  key: name,
  value: addresses.length === 0 ? undefined : { name, addresses: addresses.map(ip) },
});

/** Three nodes with their blocks. */
export const cluster = (): FactChange[] => [config(), ...[1, 2, 3].flatMap((n) => [node(n), ...blocks(n)])];
