import { sameElements } from '../engine/equal.js';
import { type Context, type Entry, index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type { NodeName } from '../model/brands.js';
import type { NetworkPolicyFact, PolicyPeer, PolicyRule } from '../model/facts.js';
import { later, type Part, type Placement } from '../model/fragment.js';
import { compareText, compound, parts } from '../policy/canonical.js';
import type { IdentityInfo } from '../policy/identity.js';
import { rulePorts } from '../policy/ports.js';
import { subtract } from '../policy/prefixes.js';
import { canonicalSelector } from '../policy/selector.js';
import { DIRECTIONS, type Direction, type PeerShape, type PolicyShape, type RuleShape } from '../policy/shape.js';
import { configOf, type Env, hasFamily } from './env.js';
import { type Identities, nodesOfIdentity, podsAcross, podsInNamespace } from './identities.js';
import { compileRule } from './rule-flows.js';

export type { Direction, PeerShape, PolicyShape, RuleShape } from '../policy/shape.js';

/** Which policies isolate an identity; key: `isolationKey`. */
export const isolating = index('isolating', 3);
export const isolationKey = (direction: Direction, identity: number): string => `${direction}/${identity}`;
/** Policies whose egress rules name an identity as a peer, by its number. */
const egressPeerOf = index('egressPeerOf', 3);
/** Same for ingress; kept only where the tunnel does not carry the identity. */
const ingressPeerOf = index('ingressPeerOf', 3);

export interface Policies {
  readonly roots: readonly Root[];
  readonly shape: Memo<PolicyShape | undefined>;
  readonly subjects: Memo<readonly IdentityInfo[]>;
  /** Identities that selectors of a rule name; key: `ruleKey`. */
  readonly peers: Memo<readonly IdentityInfo[]>;
  /** Nodes with a policy that names the identity (by number) as a peer. */
  readonly nodesWithPeer: Readonly<Record<Direction, Memo<readonly NodeName[]>>>;
}

export const ruleKey = (policy: string, direction: Direction, place: number): string =>
  compound(policy, direction, String(place));
/** Canonical text under which a rule's number is recorded; the number is what ct_label carries. */
export const ruleObject = (policy: string, direction: Direction, place: number): string =>
  `policy/${policy}/${direction}/${place}`;

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
    // A list whose every peer selects nothing is not an empty list.
    peers: rule.peers.length === 0 ? undefined : peers,
    ports: rulePorts(rule.ports),
  };
}

const union = (lists: readonly (readonly IdentityInfo[])[]): readonly IdentityInfo[] => {
  const [first] = lists;
  if (first !== undefined && lists.length === 1) return first;
  const all = new Map<number, IdentityInfo>();
  for (const list of lists) for (const info of list) all.set(info.number, info);
  return [...all.values()].sort((a, b) => compareText(a.key, b.key));
};

const EVERY_POD = podsAcross('[]', '[]');

export function policyFeature(env: Env, identities: Identities): Policies {
  const shape = memo<PolicyShape | undefined>('policyShape', (key, cx) => {
    const policy = cx.fact('policy', key);
    if (policy === undefined) return undefined;
    const podSelector = canonicalSelector(policy.podSelector);
    return {
      namespace: policy.namespace,
      name: policy.name,
      podSelector,
      subjects: podsInNamespace(policy.namespace, podSelector),
      isolates: DIRECTIONS.filter((d) => policy[d] !== undefined),
      rules: DIRECTIONS.flatMap((d) => (policy[d] ?? []).map((rule, i) => ruleShape(policy, d, rule, i))),
    };
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
      const out = new Set<string>();
      for (const info of cx.read(subjects, key))
        for (const node of cx.members(nodesOfIdentity, String(info.number))) out.add(node);
      return [...out].sort(compareText) as NodeName[];
    },
    sameElements,
  );

  const ruleOf = (key: string, cx: Context): { policy: string; rule: RuleShape } | undefined => {
    const [policy = '', direction, place] = parts(key);
    const rule = cx.read(shape, policy)?.rules.find((r) => r.direction === direction && r.index === Number(place));
    return rule === undefined ? undefined : { policy, rule };
  };
  const peers = memo<readonly IdentityInfo[]>(
    'rulePeers',
    (key, cx) => {
      const rule = ruleOf(key, cx)?.rule;
      if (rule === undefined) return [];
      // A named port of an egress rule for everyone means the pods that have a port of this name.
      if (rule.peers === undefined)
        return rule.direction === 'egress' && rule.ports.named.length > 0
          ? cx.read(identities.selected, EVERY_POD)
          : [];
      return union(rule.peers.flatMap((p) => (p.kind === 'pods' ? [cx.read(identities.selected, p.selection)] : [])));
    },
    sameElements,
  );
  const rulePart = memo<Part>(
    'policyRule',
    (key, cx) => {
      const [found, config] = [ruleOf(key, cx), configOf(cx)];
      if (found === undefined || config === undefined) return { flows: [] };
      const input = {
        policy: found.policy,
        rule: found.rule,
        families: [4, 6].filter((f): f is 4 | 6 => hasFamily(config, f as 4 | 6)),
        subjects: cx.read(subjects, found.policy),
        peers: cx.read(peers, key),
      };
      return later(() => ({ flows: compileRule(env, input) }));
    },
    Object.is,
  );

  const policy = root('policy', 3, 'policy', (key, cx) => {
    const policy = cx.read(shape, key);
    const config = configOf(cx);
    if (policy === undefined || config === undefined) return undefined;
    const entries: Entry[] = [];
    for (const info of cx.read(subjects, key))
      for (const d of policy.isolates) entries.push([isolating, isolationKey(d, info.number), key]);
    const where = cx.read(nodes, key);
    // Nobody to protect anywhere: its rules are not even looked at.
    if (where.length === 0) return { entries };
    const placement: Placement = { kind: 'nodes', nodes: where };
    const fragment = policy.rules.map((rule) => {
      const id = ruleKey(key, rule.direction, rule.index);
      const peerIndex = rule.direction === 'egress' ? egressPeerOf : ingressPeerOf;
      if (rule.direction === 'egress' || config.encap === 'vxlan')
        for (const info of cx.read(peers, id)) entries.push([peerIndex, String(info.number), key]);
      return { part: cx.read(rulePart, id), placement };
    });
    return { entries, fragment };
  });

  const nodesWith = (name: string, of: typeof egressPeerOf) =>
    memo<readonly NodeName[]>(
      name,
      (identity, cx) => {
        const out = new Set<NodeName>();
        for (const key of cx.members(of, identity)) for (const node of cx.read(nodes, key)) out.add(node);
        return [...out].sort(compareText);
      },
      sameElements,
    );

  return {
    roots: [policy],
    shape,
    subjects,
    peers,
    nodesWithPeer: {
      egress: nodesWith('egressPeerNodes', egressPeerOf),
      ingress: nodesWith('ingressPeerNodes', ingressPeerOf),
    },
  };
}
