import { formatFlow, formatIpv4, formatIpv6 } from 'openflow-ts/codec';
import type { Compiler, ResolvedRule } from '../compiler.js';
import { type FieldValue, type Journey, type Lookup, readField, type Slots } from '../evaluate/index.js';
import { nodeAddresses } from '../features/node.js';
import type { Direction } from '../features/policy.js';
import { CROWDED, FIXED_PRIORITY } from '../features/policy-order.js';
import { acceptedTable, policyRef, policyTitle } from '../features/rule-flows.js';
import { type Ip, ip } from '../model/brands.js';
import { type AttachmentFact, factKey } from '../model/facts.js';
import type { ObjectRef } from '../model/output.js';
import { ETH } from '../pipeline/constants.js';
import { TABLE_ID, type TableName, tableById } from '../pipeline/tables.js';
import type { IdentityInfo } from '../policy/identity.js';
import { clusterPolicyName } from '../policy/shape.js';
import type { Asked } from './ends.js';
import { isAllowed, type Judged, judge, judgeTier, type PolicyOpinion, ruleName } from './policy-facts.js';
import type { Decision, ExplainPath, MetFlow, NearMiss, Verdict } from './types.js';

/** Turns what a packet met into reasons. */

interface Reading {
  readonly compiler: Compiler;
  readonly asked: Asked;
  readonly decisions: Decision[];
  readonly nearMisses: NearMiss[];
}

/** Reads one lookup. Tables without a reader decide nothing, unless they drop. */
type Reader = (reading: Reading, lookup: Lookup, stage: TableName) => void;

const READERS: Partial<Record<TableName, Reader>> = {
  ServiceLB: (reading, lookup, stage) => {
    const { flow } = lookup;
    if (flow === undefined || flow.priority === 0) return;
    const balanced = flow.instructions.some((i) => i.kind === 'apply_actions');
    note(reading, lookup, stage, balanced ? 'balanced' : 'rejected');
  },
  EgressAdmin: (reading, lookup, stage) => clusterPolicies(reading, lookup, stage, 'egress', 'Admin'),
  IngressAdmin: (reading, lookup, stage) => clusterPolicies(reading, lookup, stage, 'ingress', 'Admin'),
  EgressPolicy: (reading, lookup, stage) => policies(reading, lookup, stage, 'egress'),
  IngressPolicy: (reading, lookup, stage) => policies(reading, lookup, stage, 'ingress'),
  EgressBaseline: (reading, lookup, stage) => clusterPolicies(reading, lookup, stage, 'egress', 'Baseline'),
  IngressBaseline: (reading, lookup, stage) => clusterPolicies(reading, lookup, stage, 'ingress', 'Baseline'),
  Route: (reading, lookup, stage) => {
    if (drops(lookup)) note(reading, lookup, stage, 'denied');
    // Only the route of a pod to itself looks at the port that the packet came in by.
    else note(reading, lookup, stage, lookup.flow?.match.in_port === undefined ? 'routed' : 'allowed');
  },
  // Whoever sent the packet there was heard already.
  Denied: () => {},
};

export function readPath(compiler: Compiler, asked: Asked, journey: Journey): ExplainPath {
  const reading: Reading = { compiler, asked, decisions: [], nearMisses: [] };
  for (const lookup of journey.lookups) {
    const stage = tableById(lookup.tableId)?.name;
    if (stage === undefined) continue;
    const reader = READERS[stage];
    if (reader !== undefined) reader(reading, lookup, stage);
    else if (drops(lookup)) note(reading, lookup, stage, 'denied');
  }
  const verdict = ending(reading, journey);
  return {
    family: asked.family,
    source: asked.source,
    destination: destinationText(compiler, asked, journey),
    verdict,
    decisions: reading.decisions,
    nearMisses: verdict === 'denied' ? reading.nearMisses : [],
    flows: journey.lookups.flatMap(metFlows),
  };
}

const DENIED = TABLE_ID.Denied;
/** No flow, one without instructions, or one that hands the packet to those that are denied. */
const drops = ({ flow }: Lookup): boolean =>
  flow === undefined ||
  flow.instructions.length === 0 ||
  flow.instructions.some((i) => i.kind === 'goto_table' && i.table === DENIED);

function note({ decisions }: Reading, lookup: Lookup, stage: TableName, decision: string): void {
  const { flow, node } = lookup;
  const reason = flow?.provenance.why ?? 'No flow takes the packet.';
  // The pipeline itself is nobody that a person could ask.
  const objects = (flow?.provenance.owners ?? []).filter((o) => o.kind !== 'Pipeline');
  decisions.push({ node, stage, decision, objects, reason });
}

/** The packet as policies judge it; undefined where nobody knows the pod that they are for. */
interface Case {
  readonly packet: Judged;
  /** NAMESPACE/NAME of the subject. */
  readonly name: string;
  /** `TCP 80 to shop/db`. */
  readonly what: string;
  /** Network policies do not judge a pod's traffic with its own node and with itself. */
  readonly exempt: boolean;
}
function caseOf({ compiler, asked }: Reading, { node, seen }: Lookup, direction: Direction): Case | undefined {
  const subject = podAt(compiler, addressIn(seen, direction === 'ingress' ? 'dst' : 'src'));
  const identity = subject && identityOf(compiler, subject);
  if (subject === undefined || identity === undefined) return undefined;
  const peerIp = addressIn(seen, direction === 'ingress' ? 'src' : 'dst');
  const peer = podAt(compiler, peerIp);
  const { protocol } = asked.query;
  const port = protocol === 'ICMP' ? undefined : Number(seen.tp_dst ?? 0);
  const other = peer === undefined ? peerIp : factKey(peer.namespace, peer.pod);
  const own = compiler.fact('node', node);
  return {
    packet: {
      direction,
      subject: identity,
      peer: { identity: peer && identityOf(compiler, peer), ip: peerIp },
      protocol,
      port,
    },
    name: factKey(subject.namespace, subject.pod),
    what: `${protocol}${port === undefined ? '' : ` ${port}`} ${direction === 'ingress' ? 'from' : 'to'} ${other}`,
    exempt: peer === subject || (own !== undefined && nodeAddresses(own, [4, 6]).includes(peerIp)),
  };
}

/** The switch says what, the facts say why; where they differ, both are heard. */
function disagree(
  reading: Reading,
  lookup: Lookup,
  { name, what }: Case,
  objects: readonly ObjectRef[],
  instead: string,
  remark = '',
): void {
  const { flow, node } = lookup;
  const passes = !drops(lookup);
  reading.decisions.push({
    node,
    stage: 'facts',
    decision: 'disagreement',
    objects,
    reason: `The flows ${passes ? 'pass' : 'drop'} ${what}, by ${flow === undefined ? 'a table miss' : `"${flow.provenance.why}"`}, but the policies of ${name} would ${instead} it.${remark}`,
  });
}

const WORDS = { Accept: 'allowed', Deny: 'denied', Pass: 'passed' } as const;
const INSTEAD = { Accept: 'accept', Deny: 'drop', on: 'pass' } as const;
const VERBS = { Accept: 'accepts', Deny: 'denies', Pass: 'passes on' } as const;

/** What a flow of a cluster policies' table does; none and Pass both go on to the next tier. */
function actionOf(lookup: Lookup, direction: Direction): 'Accept' | 'Deny' | 'on' {
  if (drops(lookup)) return 'Deny';
  const accepted = TABLE_ID[acceptedTable(direction)];
  return lookup.flow?.instructions.some((i) => i.kind === 'goto_table' && i.table === accepted) ? 'Accept' : 'on';
}

function clusterPolicies(
  reading: Reading,
  lookup: Lookup,
  stage: TableName,
  direction: Direction,
  tier: 'Admin' | 'Baseline',
): void {
  const judged = caseOf(reading, lookup, direction);
  const fixed = (lookup.flow?.priority ?? 0) >= FIXED_PRIORITY.ownNode;
  if (judged === undefined || fixed) {
    if (drops(lookup)) note(reading, lookup, stage, 'denied');
    else if (lookup.flow?.priority !== 0) note(reading, lookup, stage, 'allowed');
    return;
  }
  const { decided, nearMisses } = judgeTier(reading.compiler, tier, judged.packet);
  const met = actionOf(lookup, direction);
  // Behind the last tier there is nothing to go on to: what is not denied there is accepted.
  const said = decided === undefined || decided.rule.action === 'Pass' ? 'on' : decided.rule.action;
  const agrees = tier === 'Baseline' ? (met === 'Deny') === (said === 'Deny') : met === said;
  if (met === 'Deny') reading.nearMisses.push(...nearMisses);
  if (agrees && decided === undefined) return;
  if (agrees && decided !== undefined) {
    const { policy, rule } = decided;
    reading.decisions.push({
      node: lookup.node,
      stage,
      decision: WORDS[rule.action],
      objects: [policyRef(policy)],
      reason: `${ruleName(rule)} of ${policyTitle(policy)} (${tier}, priority ${priorityOf(reading.compiler, policy)}) ${VERBS[rule.action]} ${judged.what} for ${judged.name}.${crowdedRemark(rule)}`,
    });
    return;
  }
  note(reading, lookup, stage, met === 'Deny' ? 'denied' : 'allowed');
  const objects = decided === undefined ? [] : [policyRef(decided.policy)];
  disagree(reading, lookup, judged, objects, INSTEAD[said], decided && crowdedRemark(decided.rule));
}

/** The order in which a switch meets such rules is open, so the next one may say something else. */
const crowdedRemark = ({ crowded }: ResolvedRule): string => (crowded ? ` Note: ${CROWDED}.` : '');

const priorityOf = (compiler: Compiler, policy: string): number | undefined =>
  compiler.fact('clusterPolicy', clusterPolicyName(policy) ?? '')?.priority;

/** A table of network policies: the switch says what, the policies say why; both are heard. */
function policies(reading: Reading, lookup: Lookup, stage: TableName, direction: Direction): void {
  const judged = caseOf(reading, lookup, direction);
  const passes = !drops(lookup);
  if (judged === undefined) {
    note(reading, lookup, stage, passes ? 'allowed' : 'denied');
    return;
  }
  const { name, what, packet, exempt } = judged;
  const opinion = judge(reading.compiler, packet);
  if (exempt && passes) {
    reading.decisions.push({
      node: lookup.node,
      stage,
      decision: 'allowed',
      objects: [],
      reason: `No network policy keeps ${name} from its own node and from itself.`,
    });
    return;
  }
  if (!passes) reading.nearMisses.push(...opinion.nearMisses);
  if (!exempt && passes === isAllowed(opinion)) {
    reading.decisions.push({ node: lookup.node, stage, ...agreed(opinion, name, direction, what) });
    return;
  }
  note(reading, lookup, stage, passes ? 'allowed' : 'denied');
  disagree(reading, lookup, judged, opinion.isolatedBy.map(policyRef), passes ? 'drop' : 'pass');
}

function agreed(
  { isolatedBy, allowedBy }: PolicyOpinion,
  name: string,
  direction: Direction,
  what: string,
): Pick<Decision, 'decision' | 'objects' | 'reason'> {
  if (isolatedBy.length === 0)
    return { decision: 'allowed', objects: [], reason: `No policy isolates ${name} for ${direction}.` };
  if (allowedBy.length > 0) {
    const rules = allowedBy.map(({ policy, rule }) => `${ruleName(rule)} of ${policy}`).join(', ');
    const objects = distinctRefs(allowedBy.map(({ policy }) => policyRef(policy)));
    return { decision: 'allowed', objects, reason: `Allowed by ${rules}.` };
  }
  return {
    decision: 'denied',
    objects: isolatedBy.map(policyRef),
    reason: `${name} is isolated for ${direction} by ${isolatedBy.join(', ')}, and no rule allows ${what}.`,
  };
}

const distinctRefs = (refs: readonly ObjectRef[]): readonly ObjectRef[] => [
  ...new Map(refs.map((r) => [`${r.namespace}/${r.name}`, r])).values(),
];

/** Where the packet ended, and whether that is where it was meant to. */
function ending({ compiler, asked, decisions }: Reading, journey: Journey): Verdict {
  const [delivery] = journey.deliveries;
  if (delivery === undefined) {
    const [drop] = journey.drops;
    if (drop !== undefined && !decisions.some((d) => d.decision === 'denied' || d.decision === 'rejected'))
      decisions.push({
        node: drop.node,
        stage: stageOf(drop.lookup),
        decision: 'denied',
        objects: [],
        reason: `The packet ends here: ${drop.reason}.`,
      });
    return 'denied';
  }
  if (journey.lookups.at(-1) !== undefined && stageOf(journey.lookups.at(-1) as Lookup) === 'ServiceReject')
    return 'rejected';
  const { node, ofport } = delivery;
  const receiver = [...compiler.facts('attachment')]
    .map(([, a]) => a)
    .find((a) => a.node === node && a.ofport === ofport);
  const gateway = [...compiler.facts('node')]
    .map(([, n]) => n)
    .find((n) => n.name === node && n.gateway.ofport === ofport);
  const meant =
    asked.to.kind === 'pod'
      ? receiver !== undefined && receiver.portKey === asked.to.attachment.portKey
      : asked.to.kind === 'service'
        ? receiver !== undefined || gateway !== undefined
        : gateway !== undefined;
  const where =
    receiver !== undefined
      ? `pod ${factKey(receiver.namespace, receiver.pod)}`
      : gateway !== undefined
        ? `the network of ${node}`
        : `port ${ofport} of ${node}`;
  decisions.push({
    node,
    stage: 'Output',
    decision: meant ? 'delivered' : 'unknown',
    objects: receiver === undefined ? [] : [{ kind: 'Pod', namespace: receiver.namespace, name: receiver.pod }],
    reason: meant ? `It comes to ${where}.` : `It comes to ${where}, where nobody meant it to go.`,
  });
  return meant ? 'allowed' : 'unknown';
}

const stageOf = (lookup: Lookup): string => tableById(lookup.tableId)?.name ?? String(lookup.tableId);

function metFlows({ node, flow, conjunction, tableId }: Lookup): readonly MetFlow[] {
  const table = tableById(tableId)?.name ?? String(tableId);
  return [...conjunction, ...(flow === undefined ? [] : [flow])].map((f) => ({
    node,
    table,
    text: formatFlow({ ...f, idleTimeout: 0, hardTimeout: 0, flags: 0, importance: 0 }),
    owners: f.provenance.owners,
  }));
}

const show = (value: FieldValue, family: 4 | 6): Ip =>
  ip(family === 4 ? formatIpv4(Number(value)) : formatIpv6(BigInt(value)));
function addressIn(slots: Readonly<Slots>, end: 'src' | 'dst'): Ip {
  const family = slots.eth_type === ETH.ipv4 ? 4 : 6;
  return show(readField({ ...slots }, `${family === 4 ? 'ip' : 'ipv6'}_${end}`), family);
}

function podAt(compiler: Compiler, address: Ip): AttachmentFact | undefined {
  for (const [, a] of compiler.facts('attachment')) if (a.ips.includes(address)) return a;
  return undefined;
}

const identityOf = (compiler: Compiler, pod: AttachmentFact): IdentityInfo | undefined =>
  compiler.carriedIdentityOf(pod.namespace, pod.pod);

/** The address that was asked for and, behind a service, the backend. */
function destinationText(compiler: Compiler, { query, destination }: Asked, journey: Journey): string {
  const withPort = (address: Ip, port: number | undefined) =>
    port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const asked = withPort(destination, query.port);
  const judged = journey.lookups.find((l) => stageOf(l) === 'DestinationIdentity');
  if (judged === undefined) return asked;
  const real = addressIn(judged.seen, 'dst');
  if (real === destination) return asked;
  const pod = podAt(compiler, real);
  const backend = withPort(real, Number(judged.seen.tp_dst ?? 0));
  return `${asked} -> ${backend}${pod === undefined ? '' : ` (${factKey(pod.namespace, pod.pod)})`}`;
}
