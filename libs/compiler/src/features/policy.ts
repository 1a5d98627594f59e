import { sameElements } from '../engine/equal.js';
import type { Keyed } from '../engine/spaces.js';
import { type Context, type Entry, index, type Memo, memo, type Root, type RootOutput, root } from '../engine/steps.js';
import type { NodeName } from '../model/brands.js';
import type {
  ClusterPeer,
  ClusterPolicyFact,
  ClusterRule,
  LabelSelector,
  NetworkPolicyFact,
  PolicyPeer,
  PolicyRule,
} from '../model/facts.js';
import { later, type Part, type Placement } from '../model/fragment.js';
import { compareText, compound, digest, parts, sorted } from '../policy/canonical.js';
import type { IdentityInfo } from '../policy/identity.js';
import { rulePorts } from '../policy/ports.js';
import { subtract } from '../policy/prefixes.js';
import { canonicalSelector } from '../policy/selector.js';
import {
  clusterPolicyKey,
  clusterPolicyName,
  DIRECTIONS,
  type Direction,
  type PeerShape,
  type PolicyShape,
  type RuleShape,
} from '../policy/shape.js';
import { configOf, type Env, hasFamily } from './env.js';
import { type Identities, nodesOfIdentity, nodesWithPods, podsAcross, podsInNamespace } from './identities.js';
import { addressKey, type PeerAddresses } from './peer-addresses.js';
import { tellingPart, tellsOfDrops, toldOfIsolation } from './policy-log.js';
import { bandPriority, firstRankKey, type PolicyOrder } from './policy-order.js';
import { compileRule, standingFlow } from './rule-flows.js';

export type { Direction, PeerShape, PolicyShape, RuleShape } from '../policy/shape.js';

/** Which policies isolate an identity; key: `isolationKey`. */
export const isolating = index('isolating', 4);
export const isolationKey = (direction: Direction, identity: number): string => `${direction}/${identity}`;
/** Policies whose egress rules name an identity as a peer, by its number; those that name every pod under EVERYBODY. */
const egressPeerOf = index('egressPeerOf', 4);
/** Same for ingress; kept only where the tunnel does not carry the identity. */
const ingressPeerOf = index('ingressPeerOf', 4);
/** Cluster policies that an identity is a subject of, by its number; those that are for every pod under EVERYBODY. */
const clusterSubject = index('clusterSubject', 4);
const EVERYBODY = '';
/** True if a cluster policy is for pods of the identity (by number). */
export const isClusterSubject = (cx: Context, identity: string): boolean =>
  cx.members(clusterSubject, EVERYBODY).size > 0 || cx.members(clusterSubject, identity).size > 0;
/** Those of `isolating` that do not leave connections alone that were allowed before; key: `isolationKey`. */
export const isolatingAnew = index('isolatingAnew', 4);

/** Policies of both kinds; keys as in `clusterPolicyKey`. */
export interface Policies {
  readonly roots: readonly Root[];
  readonly shape: Memo<PolicyShape | undefined>;
  readonly subjects: Memo<readonly IdentityInfo[]>;
  /** Identities that selectors of a rule name; key: `ruleKey`. */
  readonly peers: Memo<readonly IdentityInfo[]>;
  /** Nodes with a policy that names the identity (by number) as a peer. */
  readonly nodesWithPeer: Readonly<Record<Direction, Memo<readonly NodeName[]>>>;
  /** Nodes that host a subject. */
  readonly nodes: Memo<readonly NodeName[]>;
  /** What is kept by `ruleKey`, and by the number of an identity. */
  readonly byRule: readonly Keyed[];
  readonly byIdentity: readonly Keyed[];
}

export const ruleKey = (policy: string, direction: Direction, place: number): string =>
  compound(policy, direction, String(place));
function peerShape(policy: NetworkPolicyFact, peer: PolicyPeer): PeerShape | undefined {
  if (peer.ipBlock !== undefined) {
    const { cidr, except } = peer.ipBlock;
    return { kind: 'block', cidr, except, prefixes: subtract(cidr, except) };
  }
  if (peer.podSelector === undefined && peer.namespaceSelector === undefined) return undefined;
  const podSelector = canonicalSelector(peer.podSelector ?? {});
  if (peer.namespaceSelector === undefined)
    return {
      kind: 'pods',
      namespaceSelector: undefined,
      podSelector,
      selection: podsInNamespace(policy.namespace, podSelector),
    };
  const namespaceSelector = canonicalSelector(peer.namespaceSelector);
  return { kind: 'pods', namespaceSelector, podSelector, selection: podsAcross(namespaceSelector, podSelector) };
}

function ruleShape(policy: NetworkPolicyFact, direction: Direction, rule: PolicyRule, place: number): RuleShape {
  const peers = rule.peers.map((p) => peerShape(policy, p)).filter((p) => p !== undefined);
  return {
    direction,
    index: place,
    name: '',
    action: 'Accept',
    // A list whose every peer selects nothing is not an empty list.
    peers: rule.peers.length === 0 ? undefined : peers,
    ports: rulePorts(rule.ports),
  };
}

function networkPolicyShape(policy: NetworkPolicyFact): PolicyShape {
  const podSelector = canonicalSelector(policy.podSelector);
  return {
    tier: 'NetworkPolicy',
    priority: 0,
    namespace: policy.namespace,
    name: policy.name,
    namespaceSelector: undefined,
    podSelector,
    subjects: podsInNamespace(policy.namespace, podSelector),
    isolates: DIRECTIONS.filter((d) => policy[d] !== undefined),
    rules: DIRECTIONS.flatMap((d) => (policy[d] ?? []).map((rule, i) => ruleShape(policy, d, rule, i))),
    logging: policy.logging ?? 'none',
    existing: policy.existing ?? 'recheck',
  };
}

function across(namespaces: LabelSelector, pods: LabelSelector) {
  const [namespaceSelector, podSelector] = [canonicalSelector(namespaces), canonicalSelector(pods)];
  return { namespaceSelector, podSelector, selection: podsAcross(namespaceSelector, podSelector) };
}

function clusterPeers(peer: ClusterPeer, { action }: ClusterRule): readonly PeerShape[] {
  switch (peer.kind) {
    case 'pods':
      return [{ kind: 'pods', ...across(peer.namespaceSelector, peer.podSelector) }];
    case 'nodes':
      return [{ kind: 'nodes', selector: canonicalSelector(peer.selector) }];
    case 'networks':
      return peer.cidrs.map((cidr) => ({ kind: 'block', cidr, except: [], prefixes: subtract(cidr, []) }));
    case 'domains':
      // Who cannot know all addresses of a name may accept them, but neither deny nor pass them.
      return action === 'Accept' ? [{ kind: 'domains', names: [...new Set(peer.names)].sort(compareText) }] : [];
  }
}

function clusterPolicyShape(policy: ClusterPolicyFact): PolicyShape {
  const { selection, ...selectors } = across(policy.subject.namespaceSelector, policy.subject.podSelector);
  return {
    tier: policy.tier,
    priority: policy.priority,
    namespace: '',
    name: policy.name,
    ...selectors,
    subjects: selection,
    isolates: [],
    rules: DIRECTIONS.flatMap((direction) =>
      policy[direction].map(
        (rule, index): RuleShape => ({
          direction,
          index,
          name: rule.name,
          action: rule.action,
          peers: rule.peers.flatMap((p) => clusterPeers(p, rule)),
          ports: rulePorts(rule.ports),
        }),
      ),
    ),
    logging: policy.logging ?? 'none',
    existing: policy.existing ?? 'recheck',
  };
}

/** Rules of a policy that cuts are new ones with whatever changes in the policy; what is logged is no matter of connections. */
function edited(policy: PolicyShape): PolicyShape {
  if (policy.existing !== 'cut') return policy;
  const { logging: _, ...content } = policy;
  const edition = digest(JSON.stringify(content, (__, v: unknown) => (typeof v === 'bigint' ? v.toString(16) : v)));
  return { ...policy, rules: policy.rules.map((rule) => ({ ...rule, edition })) };
}

const NO_IDENTITIES: readonly IdentityInfo[] = [];
/** A named port of an egress rule means what the pod at the other end calls so. */
const asksPeersForPorts = ({ direction, ports }: RuleShape): boolean =>
  direction === 'egress' && ports.named.length > 0;

const union = (lists: readonly (readonly IdentityInfo[])[]): readonly IdentityInfo[] => {
  const [first] = lists;
  if (first !== undefined && lists.length === 1) return first;
  const all = new Map<number, IdentityInfo>();
  for (const list of lists) for (const info of list) all.set(info.number, info);
  return [...all.values()].sort((a, b) => compareText(a.key, b.key));
};

export const EVERY_POD = podsAcross('[]', '[]');
/** True if every pod is a peer of the rule, whatever identities there are. */
const namesEveryPod = ({ peers }: RuleShape): boolean =>
  peers?.some((p) => p.kind === 'pods' && p.selection === EVERY_POD) ?? false;

export function policyFeature(
  env: Env,
  identities: Identities,
  addresses: PeerAddresses,
  order: PolicyOrder,
): Policies {
  const shape = memo<PolicyShape | undefined>('policyShape', (key, cx) => {
    const name = clusterPolicyName(key);
    if (name !== undefined) {
      const policy = cx.fact('clusterPolicy', name);
      return policy && edited(clusterPolicyShape(policy));
    }
    const policy = cx.fact('policy', key);
    return policy && edited(networkPolicyShape(policy));
  });
  const subjects = memo<readonly IdentityInfo[]>(
    'policySubjects',
    (key, cx) => {
      const policy = cx.read(shape, key);
      return policy === undefined ? [] : cx.read(identities.selected, policy.subjects);
    },
    sameElements,
  );
  const nodes = memo<readonly NodeName[]>(
    'policyNodes',
    (key, cx) => {
      // Whom there is to protect does not matter where everybody is.
      if (cx.read(shape, key)?.subjects === EVERY_POD) return sorted(cx.members(nodesWithPods, '')) as NodeName[];
      const out = new Set<string>();
      for (const info of cx.read(subjects, key))
        for (const node of cx.members(nodesOfIdentity, info.text).list()) out.add(node);
      return sorted(out) as NodeName[];
    },
    sameElements,
  );

  const ruleOf = (key: string, cx: Context): { key: string; policy: PolicyShape; rule: RuleShape } | undefined => {
    const [policyKey = '', direction, place] = parts(key);
    const policy = cx.read(shape, policyKey);
    const rule = policy?.rules.find((r) => r.direction === direction && r.index === Number(place));
    return policy === undefined || rule === undefined ? undefined : { key: policyKey, policy, rule };
  };
  const peers = memo<readonly IdentityInfo[]>(
    'rulePeers',
    (key, cx) => {
      const rule = ruleOf(key, cx)?.rule;
      if (rule === undefined) return [];
      // A named port of an egress rule for everyone means the pods that have a port of this name.
      if (rule.peers === undefined) return asksPeersForPorts(rule) ? cx.read(identities.selected, EVERY_POD) : [];
      return union(rule.peers.flatMap((p) => (p.kind === 'pods' ? [cx.read(identities.selected, p.selection)] : [])));
    },
    sameElements,
  );
  const rulePart = memo<Part>(
    'policyRule',
    (key, cx) => {
      const [found, config] = [ruleOf(key, cx), configOf(cx)];
      if (found === undefined || config === undefined) return { flows: [] };
      const { policy, rule } = found;
      const prefixes = rule.peers?.flatMap((peer) => {
        if (peer.kind === 'block') return peer.prefixes;
        const address = addressKey(peer);
        return address === undefined ? [] : cx.read(addresses.of, address);
      });
      // Only pods' packets come to the tables of cluster policies: where every pod is a subject there is nothing to ask.
      const everyPod = policy.subjects === EVERY_POD && !(rule.direction === 'ingress' && rule.ports.named.length > 0);
      const input = {
        policy: found.key,
        tier: policy.tier,
        rule,
        families: [4, 6].filter((f): f is 4 | 6 => hasFamily(config, f as 4 | 6)),
        subjects: everyPod ? undefined : cx.read(subjects, found.key),
        everyPod: namesEveryPod(rule),
        // Which identities there are is asked for where every pod is a peer only if it matters what they call their ports.
        peers: namesEveryPod(rule) && !asksPeersForPorts(rule) ? NO_IDENTITIES : cx.read(peers, key),
        prefixes,
        band:
          policy.tier === 'NetworkPolicy'
            ? undefined
            : bandPriority(
                policy.priority,
                cx.read(order.firstRank, firstRankKey(policy.name, rule.direction)) + rule.index,
              ),
        keeps: policy.existing === 'keep',
      };
      return later(() => ({ flows: compileRule(env, input) }));
    },
    Object.is,
  );

  const evaluate = (key: string, cx: Context): RootOutput | undefined => {
    const policy = cx.read(shape, key);
    const config = configOf(cx);
    if (policy === undefined || config === undefined) return undefined;
    const entries: Entry[] = [];
    if (policy.subjects === EVERY_POD) entries.push([clusterSubject, EVERYBODY, key]);
    for (const info of policy.subjects === EVERY_POD ? [] : cx.read(subjects, key)) {
      for (const d of policy.isolates) {
        entries.push([isolating, isolationKey(d, info.number), key]);
        if (policy.existing !== 'keep') entries.push([isolatingAnew, isolationKey(d, info.number), key]);
        if (tellsOfDrops(policy.logging)) entries.push([toldOfIsolation, isolationKey(d, info.number), key]);
      }
      if (policy.tier !== 'NetworkPolicy') entries.push([clusterSubject, info.text, key]);
    }
    const where = cx.read(nodes, key);
    // Nobody to protect anywhere: its rules are not even looked at.
    if (where.length === 0) return { entries };
    const placement: Placement = { kind: 'nodes', nodes: where };
    const fragment = policy.rules.flatMap((rule) => {
      const id = ruleKey(key, rule.direction, rule.index);
      const peerIndex = rule.direction === 'egress' ? egressPeerOf : ingressPeerOf;
      if (rule.direction === 'egress' || config.encap === 'vxlan')
        if (namesEveryPod(rule)) entries.push([peerIndex, EVERYBODY, key]);
        else for (const info of cx.read(peers, id)) entries.push([peerIndex, info.text, key]);
      const part = cx.read(rulePart, id);
      const telling = tellingPart(env, { policy: key, rule, logging: policy.logging }, part);
      const standing =
        rule.edition !== undefined && rule.action === 'Accept'
          ? later(() => ({ flows: [standingFlow(env, key, policy.tier, rule)] }))
          : undefined;
      return [part, telling, standing].flatMap((p) => (p === undefined ? [] : [{ part: p, placement }]));
    });
    return { entries, fragment };
  };

  const nodesWith = (name: string, of: typeof egressPeerOf) =>
    memo<readonly NodeName[]>(
      name,
      (identity, cx) => {
        const out = new Set<NodeName>();
        for (const who of [identity, EVERYBODY])
          for (const key of cx.members(of, who).list()) for (const node of cx.read(nodes, key)) out.add(node);
        return sorted(out) as NodeName[];
      },
      sameElements,
    );

  const nodesWithPeer = {
    egress: nodesWith('egressPeerNodes', egressPeerOf),
    ingress: nodesWith('ingressPeerNodes', ingressPeerOf),
  };
  return {
    roots: [
      root('policy', 4, 'policy', evaluate),
      root('clusterPolicy', 4, 'clusterPolicy', (name, cx) => evaluate(clusterPolicyKey(name), cx)),
    ],
    shape,
    subjects,
    peers,
    nodesWithPeer,
    nodes,
    byRule: [peers, rulePart],
    byIdentity: [clusterSubject, egressPeerOf, ingressPeerOf, nodesWithPeer.egress, nodesWithPeer.ingress],
  };
}
