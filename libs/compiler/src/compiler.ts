import { Assembly } from './assembly/assembly.js';
import { mergeFlows } from './assembly/merge.js';
import { Graph } from './engine/graph.js';
import { dnsFeature } from './features/dns.js';
import type { Env } from './features/env.js';
import { identities as identityFeature, nodesOfIdentity, podsOfIdentity } from './features/identities.js';
import { isolationFeature } from './features/isolation.js';
import { layout as layoutFeature } from './features/layout.js';
import { nodeFeature } from './features/node.js';
import { peerFeature } from './features/peer.js';
import { addressKey, peerAddresses } from './features/peer-addresses.js';
import { peerIdentityFeature } from './features/peer-identities.js';
import { pipelineFeature } from './features/pipeline.js';
import { plainFeature } from './features/plain.js';
import { podFeature } from './features/pod.js';
import { isolating, isolatingAnew, isolationKey, policyFeature, ruleKey } from './features/policy.js';
import { isolationLogFeature, toldOfIsolation } from './features/policy-log.js';
import { BAND_SLOTS, firstRankKey, policyOrder } from './features/policy-order.js';
import { selfFeature } from './features/self.js';
import { serviceFeature } from './features/service.js';
import type { NodeName } from './model/brands.js';
import { type FactChange, type FactKind, type FactKinds, factKey } from './model/facts.js';
import type { ApplyResult, IdSource, NodeFlowSet } from './model/output.js';
import type { Prefix } from './pipeline/address.js';
import { sorted } from './policy/canonical.js';
import { type IdentityInfo, IdentityTable } from './policy/identity.js';
import {
  clusterPolicyKey,
  type Direction,
  type PeerShape,
  type PolicyShape,
  type RuleShape,
  ruleObject,
} from './policy/shape.js';

/** A rule with what it selects now. */
export interface ResolvedRule extends RuleShape {
  /** Number that flows and connections carry when this rule decides. */
  readonly objectId: number;
  /** Identities that its selectors select. */
  readonly peerIdentities: readonly IdentityInfo[];
  /** Addresses that its other peers are: ranges, machines, and what names stand for now. */
  readonly peerAddresses: readonly Prefix[];
  /**
   * True for a rule of a cluster policy that has no place of its own, as too many rules share its priority: which of those is
   * met first is open. A problem of the policies, to be told to people.
   */
  readonly crowded: boolean;
}

/** A policy with whom it is for and what its rules select. */
export interface ResolvedPolicy extends Omit<PolicyShape, 'subjects' | 'rules'> {
  readonly subjects: readonly IdentityInfo[];
  readonly rules: readonly ResolvedRule[];
}

export interface CompilerStats {
  readonly facts: Readonly<Partial<Record<FactKind, number>>>;
  /** Distinct identities that pods have. */
  readonly identities: number;
  /** Remembered values of each step. */
  readonly cells: Readonly<Record<string, number>>;
  /** Flows of all nodes that were asked for, together. */
  readonly flows: number;
  /** Evaluations of each step since the compiler was made. */
  readonly steps: Readonly<Record<string, number>>;
}

/** Facts in, flows of every node out. Pure but for the numbers that it asks for: what it holds depends on the facts alone. */
export interface Compiler {
  /** Takes changes in, all of them at once: nobody sees a state between them. */
  apply(changes: readonly FactChange[]): ApplyResult;
  /**
   * Desired state of a node that a fact names; a live view. It is put together when it is asked for first, and from then on
   * `apply` tells what changes in it: of a node that nobody has asked for there is nobody to tell.
   */
  node(name: NodeName): NodeFlowSet | undefined;
  nodes(): readonly NodeName[];
  fact<K extends FactKind>(kind: K, key: string): FactKinds[K] | undefined;
  facts<K extends FactKind>(kind: K): Iterable<readonly [key: string, fact: FactKinds[K]]>;
  /** Identity that the pod's labels ask for; undefined for pods that are unknown or share the host's network. */
  identityOf(namespace: string, pod: string): IdentityInfo | undefined;
  /** Identity that the pod's packets carry: a held one, or that of its labels. */
  carriedIdentityOf(namespace: string, pod: string): IdentityInfo | undefined;
  /** Pods (NAMESPACE/NAME) that a policy is for, sorted. The key is NAMESPACE/NAME, or `clusterPolicyKey(NAME)`. */
  subjectsOf(policyKey: string): readonly string[];
  /** A NetworkPolicy (NAMESPACE/NAME) in canonical form with what it selects now. */
  policy(policyKey: string): ResolvedPolicy | undefined;
  /** The same for a cluster policy, by its name. */
  clusterPolicy(name: string): ResolvedPolicy | undefined;
  /** Rules of a cluster policy that are crowded (see `ResolvedRule`), without what they select. */
  crowdedRules(name: string): readonly RuleShape[];
  /** Policies (NAMESPACE/NAME) that isolate an identity in a direction, sorted. */
  isolatedBy(direction: Direction, identity: number): readonly string[];
  stats(): CompilerStats;
}

const KINDS = [
  'config',
  'node',
  'block',
  'namespace',
  'pod',
  'attachment',
  'hold',
  'service',
  'endpoints',
  'policy',
  'clusterPolicy',
  'domain',
] as const satisfies readonly FactKind[];

/** @param ids recorded numbers; the same source gives the same flows for the same facts, whatever way led there */
export function createCompiler(ids: IdSource): Compiler {
  const env: Env = { ids, identities: new IdentityTable(ids) };
  const identities = identityFeature(env);
  const layout = layoutFeature();
  const addresses = peerAddresses();
  const order = policyOrder();
  const policies = policyFeature(env, identities, addresses, order);
  const plain = plainFeature(env, identities);
  const assembly = new Assembly((flows) => mergeFlows(env, flows));
  const graph = new Graph({
    roots: [
      ...identities.roots,
      ...layout.roots,
      ...pipelineFeature(env),
      ...nodeFeature(env),
      ...peerFeature(env, layout),
      ...podFeature(env, identities),
      ...serviceFeature(env),
      ...addresses.roots,
      ...order.roots,
      ...policies.roots,
      ...isolationFeature(env),
      ...dnsFeature(env, policies),
      ...isolationLogFeature(env),
      ...plain.roots,
      ...selfFeature(env, identities),
      ...peerIdentityFeature(env, identities, policies),
    ],
    onFragment: (owner, now) => assembly.update(owner, now),
    sharedKeys: [
      ['pod', 'attachment', 'hold', identities.ofLabels, identities.ofPod],
      ['namespace', ...identities.byNamespace],
      ['service', 'endpoints'],
      ['policy', policies.shape, policies.subjects, policies.nodes],
      policies.byRule,
      [podsOfIdentity, nodesOfIdentity, plain.governed, ...policies.byIdentity],
      [isolating, isolatingAnew, toldOfIsolation],
    ],
  });
  const totals: Record<string, number> = {};

  const apply = (changes: readonly FactChange[]): ApplyResult => {
    const steps = graph.apply(changes);
    for (const [name, n] of Object.entries(steps)) totals[name] = (totals[name] ?? 0) + n;
    for (const change of changes)
      if (change.kind === 'node') {
        const name = change.key as NodeName;
        if (graph.fact('node', name) === undefined) assembly.removeNode(name);
        else assembly.addNode(name);
      }
    return { nodes: assembly.flush(), steps };
  };

  const addressesOf = (peer: PeerShape): readonly Prefix[] => {
    if (peer.kind === 'block') return peer.prefixes;
    const key = addressKey(peer);
    return key === undefined ? [] : graph.inspect(addresses.of, key);
  };
  const isCrowded = ({ tier, name }: PolicyShape, { direction, index }: RuleShape): boolean =>
    tier !== 'NetworkPolicy' && index + graph.inspect(order.firstRank, firstRankKey(name, direction)) >= BAND_SLOTS;
  const resolve = (key: string): ResolvedPolicy | undefined => {
    const shape = graph.inspect(policies.shape, key);
    if (shape === undefined) return undefined;
    const rules = shape.rules.map((rule) => ({
      ...rule,
      objectId: ids.number('object', ruleObject(key, rule)),
      peerIdentities: graph.inspect(policies.peers, ruleKey(key, rule.direction, rule.index)),
      peerAddresses: (rule.peers ?? []).flatMap(addressesOf),
      crowded: isCrowded(shape, rule),
    }));
    return { ...shape, subjects: graph.inspect(policies.subjects, key), rules };
  };

  return {
    apply,
    node: (name) => assembly.node(name),
    nodes: () => assembly.names(),
    fact: (kind, key) => graph.fact(kind, key),
    facts: (kind) => graph.allFacts(kind),
    identityOf: (namespace, pod) => graph.inspect(identities.ofLabels, factKey(namespace, pod)),
    carriedIdentityOf: (namespace, pod) => graph.inspect(identities.ofPod, factKey(namespace, pod)),
    subjectsOf: (key) =>
      sorted(
        new Set(graph.inspect(policies.subjects, key).flatMap((i) => [...graph.inspectIndex(podsOfIdentity, i.text)])),
      ),
    policy: (key) => resolve(key),
    clusterPolicy: (name) => resolve(clusterPolicyKey(name)),
    crowdedRules: (name) => {
      const shape = graph.inspect(policies.shape, clusterPolicyKey(name));
      return shape?.rules.filter((rule) => isCrowded(shape, rule)) ?? [];
    },
    isolatedBy: (direction, identity) => sorted(graph.inspectIndex(isolating, isolationKey(direction, identity))),
    stats: () => ({
      facts: Object.fromEntries(KINDS.map((k) => [k, graph.factCount(k)])),
      identities: graph.indexSize(podsOfIdentity),
      cells: graph.sizes(),
      flows: assembly.flowCount(),
      steps: { ...totals },
    }),
  };
}
