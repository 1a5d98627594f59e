import type { ClusterPeer, ClusterRule, LabelSelector, PolicyPort } from '@heddle/compiler';
import { z } from 'zod';
import { isDnsSubdomain } from '../names.js';
import { normalDomainName } from './domain-names.js';
import { Annotations, CidrText, Labels, PortName, PortNumber, Protocol, Selector, text } from './fields.js';

/**
 * Policies that are not part of a namespace: ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2) and its forerunners
 * AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1), with the limits of their CRDs. Inside of rules nothing is
 * overlooked: a rule with a field that is not known here could mean less than it seems to.
 */

type Shape = Readonly<Record<string, z.ZodType>>;

const closed = <S extends Shape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `${issue.keys?.join(', ')}: not known here; known are ${Object.keys(shape).join(', ')}`
        : undefined,
  });

/** An object of which exactly one field is given. */
const oneOf = <S extends Shape>(shape: S) =>
  closed(shape).superRefine((value, context) => {
    const given = Object.keys(value).filter((key) => value[key as keyof typeof value] !== undefined);
    if (given.length !== 1)
      context.addIssue(
        `exactly one of ${Object.keys(shape).join(', ')} must be given, not ${given.length === 0 ? 'none' : given.join(' and ')}`,
      );
  });

const Metadata = z.object({
  name: text('a DNS subdomain name (lower case letters, digits, "-", ".")', isDnsSubdomain),
  labels: Labels.default({}),
  annotations: Annotations,
});

const NamespacedPods = closed({ namespaceSelector: Selector.default({}), podSelector: Selector });
const Subject = oneOf({ namespaces: Selector.optional(), pods: NamespacedPods.optional() });

const DomainName = z.string().transform((value, context): string => {
  const name = normalDomainName(value);
  if (name !== undefined) return name;
  context.addIssue(`"${value}" is not a domain name ("example.com", or "*.example.com" for everything below it)`);
  return z.NEVER;
});

/** Fields of a peer, each with what it says; `oneOf` sees to it that there is one. */
const PODS = { namespaces: Selector.optional(), pods: NamespacedPods.optional() };
const PLACES = {
  nodes: Selector.optional(),
  networks: z.array(CidrText).min(1).max(25).optional(),
};
const NAMES = { domainNames: z.array(DomainName).min(1).max(25).optional() };

interface GivenPeer {
  readonly namespaces?: LabelSelector | undefined;
  readonly pods?: z.output<typeof NamespacedPods> | undefined;
  readonly nodes?: LabelSelector | undefined;
  readonly networks?: z.output<typeof PLACES.networks>;
  readonly domainNames?: readonly string[] | undefined;
}

function peerOf({ namespaces, pods, nodes, networks, domainNames }: GivenPeer): ClusterPeer {
  if (pods !== undefined) return { kind: 'pods', ...pods };
  if (nodes !== undefined) return { kind: 'nodes', selector: nodes };
  if (networks !== undefined) return { kind: 'networks', cidrs: networks };
  if (domainNames !== undefined) return { kind: 'domains', names: domainNames };
  return { kind: 'pods', namespaceSelector: namespaces ?? {}, podSelector: {} };
}

const EVERY_PROTOCOL = ['TCP', 'UDP', 'SCTP'] as const;
/** The name stands for whatever ports of a pod bear it, of any protocol. */
const named = (name: string): PolicyPort[] => EVERY_PROTOCOL.map((protocol) => ({ protocol, port: name }));

const startBelowEnd = (range: { readonly start: number; readonly end: number }, context: z.RefinementCtx) => {
  if (range.start >= range.end) context.addIssue(`start ${range.start} is not below end ${range.end}`);
};

const L4 = closed({
  destinationPort: oneOf({
    number: PortNumber.optional(),
    range: closed({ start: PortNumber, end: PortNumber }).superRefine(startBelowEnd).optional(),
  }),
});
/** v1alpha2 ClusterNetworkPolicyProtocol. */
const ClusterProtocol = oneOf({
  tcp: L4.optional(),
  udp: L4.optional(),
  sctp: L4.optional(),
  destinationNamedPort: PortName.optional(),
}).transform(({ tcp, udp, sctp, destinationNamedPort }): PolicyPort[] => [
  ...[portOf('TCP', tcp), portOf('UDP', udp), portOf('SCTP', sctp)].flatMap((p) => p ?? []),
  ...(destinationNamedPort === undefined ? [] : named(destinationNamedPort)),
]);
function portOf(
  protocol: PolicyPort['protocol'],
  given: z.output<typeof L4> | undefined,
): readonly PolicyPort[] | undefined {
  if (given === undefined) return undefined;
  const { number, range } = given.destinationPort;
  return [range === undefined ? { protocol, port: number } : { protocol, port: range.start, endPort: range.end }];
}

/** v1alpha1 AdminNetworkPolicyPort. */
const AdminPort = oneOf({
  portNumber: closed({ protocol: Protocol, port: PortNumber }).optional(),
  namedPort: PortName.optional(),
  portRange: closed({ protocol: Protocol, start: PortNumber, end: PortNumber }).superRefine(startBelowEnd).optional(),
}).transform(({ portNumber, namedPort, portRange }): PolicyPort[] => [
  ...(portNumber === undefined ? [] : [portNumber]),
  ...(namedPort === undefined ? [] : named(namedPort)),
  ...(portRange === undefined ? [] : [{ protocol: portRange.protocol, port: portRange.start, endPort: portRange.end }]),
]);

const RuleName = z.string().max(100).default('');

/** What the fields of a rule may not say together. */
function checkRule(rule: ClusterRule, context: z.RefinementCtx): void {
  const { action, peers, ports } = rule;
  if (action !== 'Accept' && peers.some((p) => p.kind === 'domains'))
    context.addIssue(`domainNames are for rules that accept, not for ${action}: nobody knows every address of a name`);
  if (ports.some((p) => typeof p.port === 'string') && peers.some((p) => p.kind !== 'pods'))
    context.addIssue('a named port is a port of a pod: it cannot stand beside nodes, networks or domainNames');
}

/** The parts that differ between the kinds: names of fields and actions, limits. */
interface Dialect<A extends string> {
  readonly actions: Readonly<Record<A, ClusterRule['action']>>;
  readonly maxRules: number;
  readonly maxItems: number;
  readonly ports: 'ports' | 'protocols';
  readonly port: z.ZodType<PolicyPort[]>;
  readonly egressPeer: z.ZodType<GivenPeer>;
}

function rules<A extends string>(
  dialect: Dialect<A>,
  peersField: 'from' | 'to',
  peer: z.ZodType<GivenPeer>,
): z.ZodType<readonly ClusterRule[]> {
  const rule = closed({
    name: RuleName,
    action: z.enum(Object.keys(dialect.actions) as [A, ...A[]]),
    [peersField]: z.array(peer.transform(peerOf)).min(1).max(dialect.maxItems),
    [dialect.ports]: z.array(dialect.port).min(1).max(dialect.maxItems).optional(),
  }).transform((given, context) => {
    const fields = given as Readonly<Record<string, unknown>>;
    const value: ClusterRule = {
      name: given.name as string,
      action: dialect.actions[given.action as A],
      peers: fields[peersField] as ClusterPeer[],
      ports: ((fields[dialect.ports] ?? []) as PolicyPort[][]).flat(),
    };
    checkRule(value, context);
    return value;
  });
  return z.array(rule).max(dialect.maxRules).default([]);
}

function policy<A extends string, E extends z.ZodRawShape>(dialect: Dialect<A>, extra: E, name = Metadata) {
  return z.object({
    metadata: name,
    spec: z.strictObject({
      ...extra,
      subject: Subject,
      ingress: rules(dialect, 'from', oneOf(PODS)),
      egress: rules(dialect, 'to', dialect.egressPeer),
    }),
  });
}

const Priority = z.number().int().min(0).max(1_000);

export const ClusterNetworkPolicy = policy(
  {
    actions: { Accept: 'Accept', Deny: 'Deny', Pass: 'Pass' },
    maxRules: 25,
    maxItems: 25,
    ports: 'protocols',
    port: ClusterProtocol,
    egressPeer: oneOf({ ...PODS, ...PLACES, ...NAMES }),
  },
  { tier: z.enum(['Admin', 'Baseline']), priority: Priority },
);

const ADMIN = { maxRules: 100, maxItems: 100, ports: 'ports', port: AdminPort } as const;

export const AdminNetworkPolicy = policy(
  {
    ...ADMIN,
    actions: { Allow: 'Accept', Deny: 'Deny', Pass: 'Pass' },
    egressPeer: oneOf({ ...PODS, ...PLACES, ...NAMES }),
  },
  { priority: Priority },
);

export const BaselineAdminNetworkPolicy = policy(
  { ...ADMIN, actions: { Allow: 'Accept', Deny: 'Deny' }, egressPeer: oneOf({ ...PODS, ...PLACES }) },
  {},
  Metadata.extend({
    name: z.literal('default', { error: 'there is one BaselineAdminNetworkPolicy, and its name is "default"' }),
  }) as unknown as typeof Metadata,
);

/** What the three kinds have in common when they are validated. */
export type ClusterPolicyManifest = z.output<
  typeof ClusterNetworkPolicy | typeof AdminNetworkPolicy | typeof BaselineAdminNetworkPolicy
>;
