import fc from 'fast-check';
import { DOMAINS, NAMESPACES, PODS } from './cluster.js';
import type { OracleCluster, OraclePod } from './oracle.js';
import { NODES, nodeOf, podIps, splitName } from './pods.js';
import type {
  ClusterNetworkPolicyManifest,
  ClusterPeer,
  ClusterProtocol,
  ClusterSubject,
  LabelSelector,
  NetworkPolicyManifest,
  Peer,
  Port,
  Setting,
} from './types.js';

/** Random clusters and policies over a small vocabulary, so that selectors, names and ranges meet often. */

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const KEYS = ['pod', 'tier', 'ns'] as const;
const VALUES = ['a', 'b', 'c', 'x', 'y'] as const;
const labels = fc.dictionary(pick(...KEYS), pick(...VALUES), { maxKeys: 2 });

/** Numbers around which ports and ranges lie. */
export const PORTS = [79, 80, 81, 82, 8080] as const;
const containerPorts = fc.uniqueArray(
  fc.record({ name: pick('http', 'admin'), protocol: pick('TCP', 'UDP', 'SCTP'), containerPort: pick(80, 81, 8080) }),
  { maxLength: 3, selector: (p) => `${p.name} ${p.protocol}` },
);

const requirement = fc.oneof(
  fc.record({
    key: pick(...KEYS),
    operator: pick('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(pick(...VALUES), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: pick(...KEYS), operator: pick('Exists' as const, 'DoesNotExist' as const) }),
);
const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ matchLabels: labels }) },
  { weight: 1, arbitrary: fc.record({ matchExpressions: fc.array(requirement, { maxLength: 2 }) }) },
);
const namespaceSelector: fc.Arbitrary<LabelSelector> = fc.oneof(
  selector,
  pick(...NAMESPACES).map((n) => ({ matchLabels: { 'kubernetes.io/metadata.name': n } })),
);

/** Prefixes around the addresses of the pods; `length` counts from the end of the address. */
function block(address: string, hostBits: number): string {
  if (!address.includes(':')) {
    const last = Number(address.slice(address.lastIndexOf('.') + 1));
    const kept = hostBits >= 8 ? 0 : (last >> hostBits) << hostBits;
    return `${address.slice(0, address.lastIndexOf('.'))}.${kept}/${32 - Math.min(hostBits, 8)}`;
  }
  const last = Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
  const kept = (last >> hostBits) << hostBits;
  return `${address.slice(0, address.lastIndexOf(':'))}:${kept.toString(16)}/${128 - hostBits}`;
}
const ipBlock = fc
  .record({
    family: pick(0, 1),
    pod: pick(...PODS),
    bits: fc.integer({ min: 0, max: 8 }),
    except: fc.array(fc.record({ pod: pick(...PODS), bits: fc.integer({ min: 0, max: 7 }) }), { maxLength: 2 }),
    everything: fc.boolean(),
  })
  .map(({ family, pod, bits, except, everything }): Peer => {
    const cidr = everything ? (family === 0 ? '0.0.0.0/0' : '::/0') : block(podIps(pod)[family] as string, bits);
    // An exception must lie within its block.
    const inside = except
      .filter((e) => everything || (e.bits < bits && block(podIps(e.pod)[family] as string, bits) === cidr))
      .map((e) => block(podIps(e.pod)[family] as string, e.bits));
    return { ipBlock: { cidr, ...(inside.length > 0 ? { except: inside } : {}) } };
  });

const peersOf = (ipBlocks: fc.Arbitrary<Peer>): fc.Arbitrary<Peer> =>
  fc.oneof(
    selector.map((podSelector) => ({ podSelector })),
    namespaceSelector.map((n) => ({ namespaceSelector: n })),
    fc.record({ podSelector: selector, namespaceSelector }),
    ipBlocks,
  );
const protocol = pick('TCP' as const, 'UDP' as const, 'SCTP' as const);
/** @param names that containers give their ports */
const portsOf = (...names: readonly string[]): fc.Arbitrary<Port> =>
  fc.oneof(
    fc.record({ protocol, port: pick(...PORTS) }),
    fc.record({ port: pick(...PORTS) }),
    fc.record({ protocol }),
    // Names twice: they are resolved by the pod at one end or the other, which is where mistakes are made.
    fc.record({ port: pick(...names) }),
    fc.record({ protocol, port: pick(names[0] as string, ...names, 'nothing') }),
    fc.record({ protocol, port: pick(1, 79, 80), endPort: pick(80, 81, 100, 65535) }),
  );
const defined = <T extends object>(o: T): T =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;

/** What the vocabulary of policies depends on. */
interface Vocabulary {
  readonly ipBlock: fc.Arbitrary<Peer>;
  readonly network: fc.Arbitrary<string>;
  readonly portNames: readonly string[];
}

function policiesIn({ ipBlock: ipBlocks, portNames }: Vocabulary): fc.Arbitrary<readonly NetworkPolicyManifest[]> {
  const peers = maybe(fc.array(peersOf(ipBlocks), { maxLength: 3 }));
  const ports = maybe(fc.array(portsOf(...portNames), { maxLength: 3 }));
  return fc
    .array(
      fc.record({
        namespace: pick(...NAMESPACES),
        podSelector: selector,
        policyTypes: maybe(fc.subarray(['Ingress' as const, 'Egress' as const], { minLength: 1 })),
        ingress: maybe(fc.array(fc.record({ from: peers, ports }).map(defined), { maxLength: 2 })),
        egress: maybe(fc.array(fc.record({ to: peers, ports }).map(defined), { maxLength: 2 })),
      }),
      { maxLength: 4 },
    )
    .map((list) =>
      list.map(
        ({ namespace, ...spec }, i): NetworkPolicyManifest => ({
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { namespace, name: `p${i}` },
          spec: defined(spec) as NetworkPolicyManifest['spec'],
        }),
      ),
    );
}

const subject: fc.Arbitrary<ClusterSubject> = fc.oneof(
  fc.constant({ namespaces: {} }),
  namespaceSelector.map((namespaces) => ({ namespaces })),
  fc.record({ podSelector: selector, namespaceSelector }).map((both) => ({ pods: both })),
);
const nodeSelector: fc.Arbitrary<LabelSelector> = pick<LabelSelector>(
  {},
  { matchLabels: { zone: 'a' } },
  { matchLabels: { node: '1' } },
  { matchExpressions: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'DoesNotExist' }] },
);
const network = fc
  .record({ family: pick(0, 1), pod: pick(...PODS), bits: fc.integer({ min: 0, max: 8 }), kind: pick(0, 1, 2, 3) })
  .map(({ family, pod, bits, kind }) => {
    if (kind === 0) return family === 0 ? '0.0.0.0/0' : '::/0';
    if (kind === 1) return family === 0 ? '203.0.113.0/28' : '2001:db8::/124';
    return block(podIps(pod)[family] as string, bits);
  });
const domain: fc.Arbitrary<ClusterPeer> = fc
  .uniqueArray(pick(...Object.keys(DOMAINS), '*.example.com', '*.com', '*.b.example.com'), {
    minLength: 1,
    maxLength: 2,
  })
  .map((domainNames) => ({ domainNames }));
const portNumber = pick(1, 79, 80, 81, 8080);
const destinationPort = fc.oneof(
  portNumber.map((number) => ({ destinationPort: { number } })),
  fc.record({ start: pick(1, 79, 80), end: pick(81, 82, 100, 65535) }).map((range) => ({ destinationPort: { range } })),
);
const numbered: fc.Arbitrary<ClusterProtocol> = fc.oneof(
  destinationPort.map((tcp) => ({ tcp })),
  destinationPort.map((udp) => ({ udp })),
  destinationPort.map((sctp) => ({ sctp })),
);
const some = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: 1, maxLength: 3 });
const action = pick('Accept' as const, 'Deny' as const, 'Pass' as const);

/** Few priorities, so that policies meet on one. Names run against the order in which they are made. */
function clusterPoliciesIn({
  network: networks,
  portNames,
}: Vocabulary): fc.Arbitrary<readonly ClusterNetworkPolicyManifest[]> {
  const clusterProtocol = fc.oneof(
    { weight: 3, arbitrary: numbered },
    { weight: 1, arbitrary: pick(...portNames, 'nothing').map((n) => ({ destinationNamedPort: n })) },
  );
  const place: fc.Arbitrary<ClusterPeer> = fc.oneof(
    nodeSelector.map((nodes) => ({ nodes })),
    fc.uniqueArray(networks, { minLength: 1, maxLength: 3 }).map((list) => ({ networks: list })),
  );
  const ingressRule = fc.record({ action, from: some(subject), protocols: maybe(some(clusterProtocol)) }).map(defined);
  // As the API server takes them: no names of ports beside places, and domains to accept only.
  const egressRule = fc
    .oneof(
      { weight: 2, arbitrary: fc.record({ action, to: some(subject), protocols: maybe(some(clusterProtocol)) }) },
      {
        weight: 2,
        arbitrary: fc.record({ action, to: some(fc.oneof(subject, place)), protocols: maybe(some(numbered)) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          action: fc.constant('Accept' as const),
          to: some(fc.oneof(domain, domain, place)),
          protocols: maybe(some(numbered)),
        }),
      },
    )
    .map(defined);
  return fc
    .array(
      fc.record({
        tier: pick('Admin' as const, 'Admin' as const, 'Baseline' as const),
        priority: pick(0, 5, 5, 1000),
        subject,
        ingress: fc.array(ingressRule, { maxLength: 3 }),
        egress: fc.array(egressRule, { maxLength: 3 }),
      }),
      { maxLength: 5 },
    )
    .map((list) =>
      list.map(
        (spec, i): ClusterNetworkPolicyManifest => ({
          apiVersion: 'policy.networking.k8s.io/v1alpha2',
          kind: 'ClusterNetworkPolicy',
          metadata: { name: `c${9 - i}` },
          spec,
        }),
      ),
    );
}

const pods = fc.subarray([...PODS], { minLength: 4 }).chain((names) =>
  fc.tuple(
    ...names.map((pod) =>
      fc.record({ labels, containerPorts }).map((p): OraclePod => {
        const [namespace, name] = splitName(pod);
        return { namespace, name, node: nodeOf(pod), ips: podIps(pod), ...p };
      }),
    ),
  ),
);

const RANDOM: Vocabulary = { ipBlock, network, portNames: ['http', 'admin'] };

export const randomCluster: fc.Arbitrary<OracleCluster> = fc.record({
  namespaces: fc.tuple(labels, labels, labels).map(([x, y, z]) => ({ x, y, z })),
  pods,
  policies: policiesIn(RANDOM),
  clusterPolicies: clusterPoliciesIn(RANDOM),
  nodes: fc.constant(NODES),
  domains: fc
    .subarray(Object.keys(DOMAINS))
    .map((names) => Object.fromEntries(names.map((n) => [n, DOMAINS[n] as readonly string[]]))),
});

/** What stands for addresses where only the running cluster knows them. */
const range = fc.oneof(
  pick('cluster', 'all'),
  pick(...PODS).map((pod) => `pod:${pod}`),
);
const SYMBOLIC: Vocabulary = {
  ipBlock: fc.record({ cidr: range, except: fc.array(pick(...PODS), { maxLength: 2 }) }).map(
    ({ cidr, except }): Peer => ({
      ipBlock: cidr.startsWith('pod:') ? { cidr } : { cidr, except: except.map((pod) => `pod:${pod}`) },
    }),
  ),
  network: range,
  portNames: ['serve-80-tcp', 'serve-81-udp'],
};

/** Random policies and labels for the cluster of the truth table, wherever it runs. */
export const randomSetting: fc.Arbitrary<Setting> = fc.record({
  policies: policiesIn(SYMBOLIC),
  clusterPolicies: clusterPoliciesIn(SYMBOLIC),
  labels: fc.record({
    // Not the label `pod`, by which services find their pods.
    pods: fc.dictionary(pick(...PODS), fc.record({ tier: pick(...VALUES) }), { maxKeys: 4 }),
    namespaces: fc.dictionary(pick(...NAMESPACES), labels, { maxKeys: 2 }),
  }),
});
