import type { Compiler, ResolvedPolicy, ResolvedRule } from '../compiler.js';
import type { Direction, PeerShape } from '../features/policy.js';
import { policyRef } from '../features/rule-flows.js';
import type { Ip } from '../model/brands.js';
import type { Labels, NamedPort } from '../model/facts.js';
import { prefixOf } from '../pipeline/address.js';
import { compareText } from '../policy/canonical.js';
import type { IdentityInfo } from '../policy/identity.js';
import { coversPort, type PortMatch, resolveNames } from '../policy/ports.js';
import { contains } from '../policy/prefixes.js';
import { compileSelector, describeSelector, selectorKeys } from '../policy/selector.js';
import { clusterPolicyKey, type Tier } from '../policy/shape.js';
import type { ExplainQuery, NearMiss } from './types.js';

/** What the policies say about one packet, read from them and not from flows: reasons, and a second opinion. */

export interface Party {
  readonly identity: IdentityInfo | undefined;
  readonly ip: Ip;
}

/** The packet as the policies of `subject` judge it. */
export interface Judged {
  readonly direction: Direction;
  readonly subject: IdentityInfo;
  readonly peer: Party;
  readonly protocol: ExplainQuery['protocol'];
  /** Port of the receiver, behind any service. */
  readonly port: number | undefined;
}

export interface PolicyOpinion {
  /** Policies that isolate the subject in this direction. */
  readonly isolatedBy: readonly string[];
  /** Rules that allow the packet. */
  readonly allowedBy: readonly { readonly policy: string; readonly rule: ResolvedRule }[];
  readonly nearMisses: readonly NearMiss[];
}

/** What the cluster policies of one tier say. */
export interface TierOpinion {
  /** The first rule that the packet meets; undefined: none does. */
  readonly decided: { readonly policy: string; readonly rule: ResolvedRule } | undefined;
  /** Rules before it that would have accepted the packet. */
  readonly nearMisses: readonly NearMiss[];
}

export const isAllowed = (o: PolicyOpinion): boolean => o.isolatedBy.length === 0 || o.allowedBy.length > 0;

export function judge(compiler: Compiler, packet: Judged): PolicyOpinion {
  const isolatedBy = compiler.isolatedBy(packet.direction, packet.subject.number);
  const allowedBy: { policy: string; rule: ResolvedRule }[] = [];
  const nearMisses: NearMiss[] = [];
  for (const key of isolatedBy) {
    const policy = compiler.policy(key);
    for (const rule of policy?.rules.filter((r) => r.direction === packet.direction) ?? []) {
      const unmet = unmetOf(policy as ResolvedPolicy, rule, packet);
      if (unmet.length === 0) allowedBy.push({ policy: key, rule });
      else if (unmet.length === 1)
        nearMisses.push({ object: policyRef(key), rule: ruleName(rule), because: unmet[0] as string });
    }
  }
  return { isolatedBy, allowedBy, nearMisses };
}

/** Rules of cluster policies in the order in which they are judged, as far as they are for the subject. */
function* rulesInOrder(
  compiler: Compiler,
  tier: Tier,
  { subject, direction }: Judged,
): Iterable<{ policy: ResolvedPolicy; rule: ResolvedRule }> {
  const policies = [...compiler.facts('clusterPolicy')]
    .filter(([, fact]) => fact.tier === tier)
    .sort(([a, x], [b, y]) => x.priority - y.priority || compareText(a, b));
  for (const [name] of policies) {
    const policy = compiler.clusterPolicy(name);
    if (policy?.subjects.some((s) => s.number === subject.number))
      for (const rule of policy.rules) if (rule.direction === direction) yield { policy, rule };
  }
}

/** @param tier one of cluster policies */
export function judgeTier(compiler: Compiler, tier: Tier, packet: Judged): TierOpinion {
  const nearMisses: NearMiss[] = [];
  for (const { policy, rule } of rulesInOrder(compiler, tier, packet)) {
    const key = clusterPolicyKey(policy.name);
    const unmet = unmetOf(policy, rule, packet);
    if (unmet.length === 0) return { decided: { policy: key, rule }, nearMisses };
    if (unmet.length === 1 && rule.action === 'Accept')
      nearMisses.push({ object: policyRef(key), rule: ruleName(rule), because: unmet[0] as string });
  }
  return { decided: undefined, nearMisses };
}

export const ruleName = ({ direction, index, name }: Pick<ResolvedRule, 'direction' | 'index' | 'name'>): string =>
  `${direction} rule ${index}${name === '' ? '' : ` (${name})`}`;

/** Conditions of the rule that the packet does not meet, each a sentence. None: the rule allows it. */
function unmetOf(policy: ResolvedPolicy, rule: ResolvedRule, packet: Judged): readonly string[] {
  // Ports may hang on the peer (a name in an egress rule), so peer and port are looked at together.
  if (rule.peers === undefined) return portUnmet(rule, packet, packet.direction === 'ingress' ? 'subject' : 'pod');
  if (rule.peers.length === 0) return ['The rule names peers, and none of them can exist.', 'No peer.'];
  const candidates = rule.peers.map((peer) => [
    ...peerUnmet(policy, rule, peer, packet),
    ...portUnmet(rule, packet, packet.direction === 'ingress' ? 'subject' : peer.kind === 'pods' ? 'pod' : 'address'),
  ]);
  return candidates.reduce((best, c) => (c.length < best.length ? c : best));
}

function peerUnmet(
  policy: ResolvedPolicy,
  rule: ResolvedRule,
  peer: PeerShape,
  { peer: party, direction }: Judged,
): readonly string[] {
  const end = direction === 'ingress' ? 'sender' : 'receiver';
  if (peer.kind === 'block') {
    const address = prefixOf(party.ip);
    if (peer.prefixes.some((p) => contains(p, address))) return [];
    const excepted = peer.except.find((e) => contains(prefixOf(e), address));
    if (excepted !== undefined && contains(prefixOf(peer.cidr), address))
      return [`The ${end} ${party.ip} is in ${peer.cidr} but in its exception ${excepted}.`];
    const sentence = `The ${end} ${party.ip} is not in ${peer.cidr}.`;
    // A block that a pod is not in says little about the pod; for an address it is all there is to say.
    return party.identity === undefined ? [sentence] : [sentence, 'It is a pod.'];
  }
  if (peer.kind !== 'pods') {
    if (rule.peerAddresses.some((p) => contains(p, prefixOf(party.ip)))) return [];
    const whose =
      peer.kind === 'domains'
        ? `an address that ${peer.names.join(', ')} was seen to have`
        : `an address of a node with ${describeSelector(peer.selector)}`;
    return [`The ${end} ${party.ip} is not ${whose}.`];
  }
  const { identity } = party;
  if (identity === undefined) return [`The ${end} ${party.ip} is no pod, and the rule selects pods.`, 'No labels.'];
  const unmet = selectorUnmet(`The ${end}'s labels`, peer.podSelector, identity.podLabels);
  if (peer.namespaceSelector === undefined) {
    if (identity.namespace !== policy.namespace)
      unmet.push(
        `A podSelector alone selects pods of namespace ${policy.namespace}; the ${end} is in ${identity.namespace}.`,
      );
  } else {
    const whose = `The labels of namespace ${identity.namespace}`;
    unmet.push(...selectorUnmet(whose, peer.namespaceSelector, identity.namespaceLabels));
  }
  return unmet;
}

/** A selector is one condition, however many of its requirements the labels do not meet. */
function selectorUnmet(whose: string, canonical: string, labels: Labels): string[] {
  const requirements = (JSON.parse(canonical) as unknown[]).map((r) => JSON.stringify([r]));
  const failing = requirements.filter((r) => !compileSelector(r)(labels));
  if (failing.length === 0) return [];
  const there = new Set(failing.flatMap(selectorKeys).map((key) => valueWords(key, labels)));
  return [`${whose} do not meet ${failing.map(describeSelector).join(', ')}: they have ${[...there].join(', ')}.`];
}

const valueWords = (key: string, labels: Labels): string =>
  Object.hasOwn(labels, key) ? `${key}=${labels[key]}` : `no ${key}`;

/** @param names what the names of ports mean: the subject's ports, those of the pod at the other end, or nothing */
function portUnmet(rule: ResolvedRule, packet: Judged, names: 'subject' | 'pod' | 'address'): readonly string[] {
  const { fixed, named } = rule.ports;
  if (fixed === undefined) return [];
  if (packet.protocol === 'ICMP') return ['The rule lists ports; ICMP passes by rules without ports only.'];
  const owner = names === 'subject' ? packet.subject : names === 'pod' ? packet.peer.identity : undefined;
  const resolved = resolveNames(named, owner?.namedPorts ?? []);
  if (coversPort([...fixed, ...resolved], packet.protocol, packet.port)) return [];
  const listed = [...fixed.map(portWords), ...named.map((n) => nameWords(n, owner?.namedPorts))];
  return [`The port is ${packet.protocol} ${packet.port}; the rule allows ${listed.join(', ') || 'none'}.`];
}

function portWords({ protocol, port }: PortMatch): string {
  if (port === undefined) return `every ${protocol} port`;
  const [value, mask] = port;
  const last = value + (0xffff - mask);
  return last === value ? `${protocol} ${value}` : `${protocol} ${value}-${last}`;
}

function nameWords(
  n: { readonly name: string; readonly protocol: string },
  ports: readonly NamedPort[] | undefined,
): string {
  const numbers = (ports ?? []).filter((p) => p.name === n.name && p.protocol === n.protocol).map((p) => p.port);
  return `${n.protocol} "${n.name}" (${numbers.length > 0 ? numbers.join(', ') : 'which the receiver does not have'})`;
}
