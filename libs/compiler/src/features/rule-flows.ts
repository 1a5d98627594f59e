import type { Action, Match } from 'openflow-ts/codec';
import type { Family } from '../model/brands.js';
import type { Flow, ObjectRef } from '../model/output.js';
import { matchDestination, matchPort, matchSource, type Prefix } from '../pipeline/address.js';
import { act, makeFlow, type Origin, origin } from '../pipeline/flow.js';
import { matchRegisters, setRegister } from '../pipeline/registers.js';
import type { TableName } from '../pipeline/tables.js';
import type { IdentityInfo } from '../policy/identity.js';
import { dedupe, type PortMatch, portsText, resolveNames } from '../policy/ports.js';
import type { Direction, RuleShape } from '../policy/shape.js';
import type { Env } from './env.js';

/** Priorities of the policy tables. Rules only allow, so they need no order among themselves. */
export const POLICY_PRIORITY = {
  /** A rule with one condition: a plain flow. Not the conjunctions' priority: both may match the same. */
  allow: 300,
  conjunction: 200,
  isolation: 100,
} as const;

/** What makes the two directions different. */
const SIDES = {
  ingress: {
    table: 'IngressPolicy',
    subject: 'destinationIdentity',
    peer: 'sourceIdentity',
    verdict: 'ingressRule',
    next: 'PolicyLog',
    block: matchSource,
  },
  egress: {
    table: 'EgressPolicy',
    subject: 'sourceIdentity',
    peer: 'destinationIdentity',
    verdict: 'egressRule',
    next: 'Route',
    block: matchDestination,
  },
} as const satisfies Record<Direction, unknown>;

/** What a flow that denies does: the object id says on whose behalf. */
export const denial = (object: number) => act([setRegister('deniedBy', object)], 'Denied');

export const policyTable = (direction: Direction): TableName => SIDES[direction].table;
export const subjectRegister = (direction: Direction) => SIDES[direction].subject;

export interface RuleInput {
  /** NAMESPACE/NAME. */
  readonly policy: string;
  readonly rule: RuleShape;
  readonly families: readonly Family[];
  readonly subjects: readonly IdentityInfo[];
  /** Identities that the rule's selectors select. */
  readonly peers: readonly IdentityInfo[];
}

/** One conjunction: every list that is there must be met; a list that is not there is no condition. */
interface Variant {
  /** Tells variants of one rule apart, whatever else the rule says. Empty for the rule without named ports. */
  readonly name: string;
  readonly subjects: readonly IdentityInfo[];
  readonly identities?: readonly IdentityInfo[];
  readonly prefixes?: readonly Prefix[];
  readonly ports?: readonly PortMatch[];
}

export const policyRef = (policy: string): ObjectRef => {
  const slash = policy.indexOf('/');
  return { kind: 'NetworkPolicy', namespace: policy.slice(0, slash), name: policy.slice(slash + 1) };
};

/** Flows of a rule: for each variant one flow for every value of every condition, and one for all conditions together. */
export function compileRule(env: Env, input: RuleInput): readonly Flow[] {
  const { policy, rule } = input;
  const why = `${rule.direction === 'ingress' ? 'Ingress' : 'Egress'} rule ${rule.index} of NetworkPolicy ${policy}.`;
  const object = env.ids.number('object', `policy/${policy}/${rule.direction}/${rule.index}`);
  const from = origin('policy', object, [policyRef(policy)], why);
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

function variants({ rule, families, subjects, peers }: RuleInput): readonly Variant[] {
  if (subjects.length === 0) return [];
  const { fixed, named } = rule.ports;
  const prefixes = rule.peers
    ?.flatMap((p) => (p.kind === 'block' ? p.prefixes : []))
    .filter((p) => families.includes(p.family));
  const peerLists = prefixes === undefined ? {} : { identities: peers, prefixes };
  if (named.length === 0)
    return [{ name: '', subjects, ...peerLists, ...(fixed === undefined ? {} : { ports: fixed }) }];
  if (rule.direction === 'ingress')
    return groupByPorts(subjects, (info) => dedupe([...(fixed ?? []), ...resolveNames(named, info.namedPorts)])).map(
      (group) => ({ name: `/${group.text}`, subjects: group.infos, ...peerLists, ports: group.ports }),
    );
  // Egress: the name is resolved by the pod at the other end, so an address range never has one.
  return [
    { name: '', subjects, ...peerLists, ports: fixed ?? [] },
    ...groupByPorts(peers, (info) => resolveNames(named, info.namedPorts)).map((group) => ({
      name: `/${group.text}`,
      subjects,
      identities: group.infos,
      prefixes: [],
      ports: group.ports,
    })),
  ];
}

function variantFlows(env: Env, input: RuleInput, variant: Variant, object: number, from: Origin): readonly Flow[] {
  const { policy, rule, families } = input;
  const side = SIDES[rule.direction];
  const conditions: Match[][] = [variant.subjects.map((s) => matchRegisters({ [side.subject]: s.number }))];
  if (variant.identities !== undefined)
    conditions.push([
      ...variant.identities.map((p) => matchRegisters({ [side.peer]: p.number })),
      ...distinctPrefixes(variant.prefixes ?? []).map(side.block),
    ]);
  if (variant.ports !== undefined)
    conditions.push(families.flatMap((family) => (variant.ports ?? []).map((p) => portMatch(family, p))));
  // A condition that nothing can meet: the rule allows nothing.
  if (conditions.some((c) => c.length === 0)) return [];
  const verdict = act([setRegister(side.verdict, object)], side.next);
  if (conditions.length === 1)
    return (conditions[0] as Match[]).map((m) => makeFlow(side.table, POLICY_PRIORITY.allow, m, verdict, from));
  const id = env.ids.number('conjunction', `${policy}/${rule.direction}/${rule.index}${variant.name}`);
  const flows = conditions.flatMap((values, i) => {
    const action: Action = { kind: 'conjunction', id, clause: i + 1, of: conditions.length };
    const clause = act([action]);
    return values.map((m) => makeFlow(side.table, POLICY_PRIORITY.conjunction, m, clause, from));
  });
  flows.push(makeFlow(side.table, POLICY_PRIORITY.conjunction, { conj_id: id }, verdict, from));
  return flows;
}

const distinctPrefixes = (prefixes: readonly Prefix[]): readonly Prefix[] => [
  ...new Map(prefixes.map((p) => [`${p.family} ${p.value} ${p.length}`, p])).values(),
];

function portMatch(family: Family, { protocol, port }: PortMatch): Match {
  if (port === undefined || port[1] === 0) return matchPort(family, protocol);
  return matchPort(family, protocol, port[1] === 0xffff ? port[0] : port);
}
