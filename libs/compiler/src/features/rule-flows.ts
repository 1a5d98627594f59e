import type { Action, Instruction, Match } from 'openflow-ts/codec';
import { type Family, FIRST_POD_IDENTITY } from '../model/brands.js';
import { clusterPolicyObject } from '../model/facts.js';
import type { Flow, ObjectRef } from '../model/output.js';
import { IS_IP, matchDestination, matchPort, matchSource, type Prefix } from '../pipeline/address.js';
import { CT_LABEL } from '../pipeline/constants.js';
import { act, goTo, makeFlow, type Origin, origin } from '../pipeline/flow.js';
import { matchRegisters, REGISTERS, setRegister } from '../pipeline/registers.js';
import type { TableName } from '../pipeline/tables.js';
import type { IdentityInfo } from '../policy/identity.js';
import { dedupe, type PortMatch, portsText, resolveNames } from '../policy/ports.js';
import { clusterPolicyName, type Direction, type RuleShape, ruleObject, type Tier } from '../policy/shape.js';
import type { Env } from './env.js';

/**
 * Priorities of the tables of network policies, whose rules only allow and need no order among themselves. For those of
 * cluster policies see `bandPriority`.
 */
export const POLICY_PRIORITY = {
  /** What no network policy is about: a pod's own node, and the pod itself. */
  exempt: 400,
  /** Rules of policies that cut decide before others, so that connections hang on them whatever else allows the same. */
  strict: 350,
  /** A rule with one condition: a plain flow. Not the conjunctions' priority: both may match the same. */
  allow: 300,
  conjunction: 200,
  /** Connections that isolation leaves alone, because every policy that isolates says so. */
  kept: 150,
  isolation: 100,
} as const;

/** What makes the two directions different. `accepted` is where a packet goes that needs no more judgement. */
const SIDES = {
  ingress: {
    tables: { Admin: 'IngressAdmin', NetworkPolicy: 'IngressPolicy', Baseline: 'IngressBaseline' },
    subject: 'destinationIdentity',
    peer: 'sourceIdentity',
    verdict: 'ingressRule',
    strict: 'ingressStrict',
    accepted: 'PolicyLog',
    block: matchSource,
  },
  egress: {
    tables: { Admin: 'EgressAdmin', NetworkPolicy: 'EgressPolicy', Baseline: 'EgressBaseline' },
    subject: 'sourceIdentity',
    peer: 'destinationIdentity',
    verdict: 'egressRule',
    strict: 'egressStrict',
    accepted: 'Route',
    block: matchDestination,
  },
} as const satisfies Record<Direction, unknown>;

/** What a flow that denies does: the object id says on whose behalf. */
export const denial = (object: number) => act([setRegister('deniedBy', object)], 'Denied');

export const policyTable = (direction: Direction, tier: Tier = 'NetworkPolicy'): TableName =>
  SIDES[direction].tables[tier];
export const subjectRegister = (direction: Direction) => SIDES[direction].subject;
/** Where packets go on that policy of the direction has let through. */
export const acceptedTable = (direction: Direction): TableName => SIDES[direction].accepted;

/** What a rule does with what it matches. A rule that passes leaves the rest of its tier out. */
function verdictOf({ action, direction, edition }: RuleShape, tier: Tier, object: number): readonly Instruction[] {
  const side = SIDES[direction];
  switch (action) {
    case 'Accept':
      return act(
        [setRegister(side.verdict, object), ...(edition === undefined ? [] : [setRegister(side.strict, 1)])],
        side.accepted,
      );
    case 'Deny':
      return denial(object);
    case 'Pass':
      return goTo(tier === 'Admin' ? side.tables.NetworkPolicy : side.accepted);
  }
}

export interface RuleInput {
  /** As `clusterPolicyKey`. */
  readonly policy: string;
  readonly tier: Tier;
  readonly rule: RuleShape;
  readonly families: readonly Family[];
  /** Undefined: every packet that comes to the table is for (or of) a subject. */
  readonly subjects: readonly IdentityInfo[] | undefined;
  /** Every pod is a peer, whatever its identity. */
  readonly everyPod: boolean;
  /** Identities that the rule's selectors select. */
  readonly peers: readonly IdentityInfo[];
  /** Addresses that its other peers are; undefined where the rule names no peers. */
  readonly prefixes: readonly Prefix[] | undefined;
  /** Priority of a cluster policy's rule; undefined for rules that need no order. */
  readonly band: number | undefined;
  /** What the rule denies leaves connections alone that were allowed before. */
  readonly keeps: boolean;
}

/** One conjunction: every list that is there must be met; a list that is not there is no condition. */
interface Variant {
  /** Tells variants of one rule apart, whatever else the rule says. Empty for the rule without named ports. */
  readonly name: string;
  readonly subjects?: readonly IdentityInfo[];
  /** `everyPod`: all that there are and will be. */
  readonly identities?: readonly IdentityInfo[] | 'everyPod';
  readonly prefixes?: readonly Prefix[];
  readonly ports?: readonly PortMatch[];
}

/** @param policy as `clusterPolicyKey` */
export function policyRef(policy: string): ObjectRef {
  const name = clusterPolicyName(policy);
  if (name !== undefined) return { ...clusterPolicyObject(name), namespace: '' };
  const slash = policy.indexOf('/');
  return { kind: 'NetworkPolicy', namespace: policy.slice(0, slash), name: policy.slice(slash + 1) };
}
/** The policy as people call it: `shop/db`, `ClusterNetworkPolicy guard`. */
export function policyTitle(policy: string): string {
  const { kind, namespace, name } = policyRef(policy);
  return namespace === '' ? `${kind} ${name}` : `${namespace}/${name}`;
}

const ACTION_WORDS = { Accept: 'accepts', Deny: 'denies', Pass: 'passes on' } as const;

function whyOf(policy: string, tier: Tier, { direction, index, name, action }: RuleShape): string {
  const side = direction === 'ingress' ? 'Ingress' : 'Egress';
  const { kind, namespace, name: policyName } = policyRef(policy);
  const whose = `${kind} ${namespace === '' ? policyName : `${namespace}/${policyName}`}`;
  if (tier === 'NetworkPolicy') return `${side} rule ${index} of ${whose}.`;
  return `${side} rule ${index}${name === '' ? '' : ` (${name})`} of ${whose} ${ACTION_WORDS[action]}.`;
}

const LABELS = { ingress: CT_LABEL.ingressRule, egress: CT_LABEL.egressRule } as const;
const STANDING = {
  ingress: ['IngressStanding', 'DestinationIdentity'],
  egress: ['EgressStanding', 'IngressStanding'],
} as const;

/** What keeps connections alive that a rule of a policy that cuts let through: that the rule stands. */
export function standingFlow(env: Env, policy: string, tier: Tier, rule: RuleShape): Flow {
  const object = env.ids.number('object', ruleObject(policy, rule));
  const { lsb } = LABELS[rule.direction];
  const [table, next] = STANDING[rule.direction];
  const label = { ct_label: [BigInt(object) << BigInt(lsb), 0xffff_ffffn << BigInt(lsb)] } as const;
  const from = origin('policy', object, [policyRef(policy)], whyOf(policy, tier, rule));
  return makeFlow(table, 100, label, goTo(next), from);
}

/** Flows of a rule: for each variant one flow for every value of every condition, and one for all conditions together. */
export function compileRule(env: Env, input: RuleInput): readonly Flow[] {
  const { policy, rule, tier } = input;
  const object = env.ids.number('object', ruleObject(policy, rule));
  const from = origin('policy', object, [policyRef(policy)], whyOf(policy, tier, rule));
  const flows: Flow[] = [];
  for (const variant of variants(input)) flows.push(...variantFlows(env, input, variant, object, from));
  return flows;
}

function groupByPorts(
  infos: readonly IdentityInfo[],
  portsOf: (info: IdentityInfo) => readonly PortMatch[],
): readonly { text: string; infos: readonly IdentityInfo[]; ports: readonly PortMatch[] }[] {
  const groups = new Map<string, { text: string; infos: IdentityInfo[]; ports: readonly PortMatch[] }>();
  for (const info of infos) {
    const ports = portsOf(info);
    // No pod of this identity has a port of the name: the rule says nothing about it.
    if (ports.length === 0) continue;
    const text = portsText(ports);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { text, infos: [info], ports });
    else group.infos.push(info);
  }
  return [...groups.values()];
}

function variants({ rule, families, subjects, everyPod, peers, prefixes }: RuleInput): readonly Variant[] {
  if (subjects?.length === 0) return [];
  const { fixed, named } = rule.ports;
  const who = subjects === undefined ? {} : { subjects };
  const ranges = prefixes?.filter((p) => families.includes(p.family));
  const peerLists =
    ranges === undefined ? {} : { identities: everyPod ? ('everyPod' as const) : peers, prefixes: ranges };
  if (named.length === 0) return [{ name: '', ...who, ...peerLists, ...(fixed === undefined ? {} : { ports: fixed }) }];
  if (rule.direction === 'ingress')
    return groupByPorts(subjects ?? [], (info) =>
      dedupe([...(fixed ?? []), ...resolveNames(named, info.namedPorts)]),
    ).map((group) => ({ name: `/${group.text}`, subjects: group.infos, ...peerLists, ports: group.ports }));
  // Egress: the name is resolved by the pod at the other end, so an address range never has one.
  return [
    { name: '', ...who, ...peerLists, ports: fixed ?? [] },
    ...groupByPorts(peers, (info) => resolveNames(named, info.namedPorts)).map((group) => ({
      name: `/${group.text}`,
      ...who,
      identities: group.infos,
      prefixes: [],
      ports: group.ports,
    })),
  ];
}

/**
 * Pods are what has an identity from FIRST_POD_IDENTITY, a power of two, on: any of the bits from that one on is set. That is as
 * many flows however many identities there are, and new ones are met at once.
 */
function everyPodIn(register: 'sourceIdentity' | 'destinationIdentity'): readonly Match[] {
  const { field, msb } = REGISTERS[register];
  const lowest = Math.log2(FIRST_POD_IDENTITY);
  return Array.from({ length: msb + 1 - lowest }, (_, i) => {
    const bit = 2 ** (lowest + i);
    return { [field]: [bit, bit] };
  });
}

function variantFlows(env: Env, input: RuleInput, variant: Variant, object: number, from: Origin): readonly Flow[] {
  const { policy, rule, tier, families, band, keeps } = input;
  const strict = rule.edition !== undefined && rule.action === 'Accept';
  const side = SIDES[rule.direction];
  const table = side.tables[tier];
  const conditions: Match[][] = [];
  if (variant.subjects !== undefined)
    conditions.push(variant.subjects.map((s) => matchRegisters({ [side.subject]: s.number })));
  if (variant.identities !== undefined)
    conditions.push([
      ...(variant.identities === 'everyPod'
        ? everyPodIn(side.peer)
        : variant.identities.map((p) => matchRegisters({ [side.peer]: p.number }))),
      ...distinctPrefixes(variant.prefixes ?? []).map(side.block),
      ...(variant.name === '' ? remembered(rule, object) : []),
    ]);
  if (variant.ports !== undefined)
    conditions.push(families.flatMap((family) => (variant.ports ?? []).map((p) => portMatch(family, p))));
  // A condition that nothing can meet: the rule says nothing about any packet.
  if (conditions.some((c) => c.length === 0)) return [];
  // Only conjunctions are sure to keep a verdict of their own where several rules say the same.
  if (strict && conditions.length === 1) conditions.push(families.map((family) => IS_IP[family]));
  const verdict = verdictOf(rule, tier, object);
  // In a clause and not beside conj_id: what meets all clauses is not asked about later conjunctions any more.
  const [first] = conditions;
  if (keeps && rule.action === 'Deny' && first !== undefined)
    conditions[0] = first.map((m) => ({ ...m, ...matchRegisters({ recheck: 0 }) }));
  if (conditions.length === 1)
    return (conditions[0] as Match[]).map((m) => makeFlow(table, band ?? POLICY_PRIORITY.allow, m, verdict, from));
  const priority = band ?? (strict ? POLICY_PRIORITY.strict : POLICY_PRIORITY.conjunction);
  const id = env.ids.number('conjunction', `${policy}/${rule.direction}/${rule.index}${variant.name}`);
  const flows = conditions.flatMap((values, i) => {
    const action: Action = { kind: 'conjunction', id, clause: i + 1, of: conditions.length };
    const clause = act([action]);
    return values.map((m) => makeFlow(table, priority, m, clause, from));
  });
  flows.push(makeFlow(table, priority, { conj_id: id }, verdict, from));
  return flows;
}

/**
 * Connections that a rule for names let through stay its own while it stands, wherever the names have moved: that the time of
 * an answer has run out cuts nobody off.
 */
const remembered = (rule: RuleShape, object: number): readonly Match[] =>
  rule.peers?.some((p) => p.kind === 'domains')
    ? [
        {
          ...matchRegisters({ recheck: 1 }),
          ct_label: [BigInt(object) << BigInt(CT_LABEL.egressRule.lsb), OBJECT_MASK],
        },
      ]
    : [];
const OBJECT_MASK = 0xffff_ffffn << BigInt(CT_LABEL.egressRule.lsb);

const distinctPrefixes = (prefixes: readonly Prefix[]): readonly Prefix[] => [
  ...new Map(prefixes.map((p) => [`${p.family} ${p.value} ${p.length}`, p])).values(),
];

function portMatch(family: Family, { protocol, port }: PortMatch): Match {
  if (port === undefined || port[1] === 0) return matchPort(family, protocol);
  return matchPort(family, protocol, port[1] === 0xffff ? port[0] : port);
}
