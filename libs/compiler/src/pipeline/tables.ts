import type { FieldName } from 'openflow-ts/codec';

/** Names of the register fields; `registers.ts` gives each its bits and its life. */
export const REGISTER_NAMES = [
  'sourceKind',
  'hairpin',
  'plainSender',
  'plain',
  'established',
  'recheck',
  'serviceDnat',
  'self',
  'vpc',
  'sourceIdentity',
  'destinationIdentity',
  'outputOfport',
  'egressRule',
  'ingressRule',
  'egressStrict',
  'ingressStrict',
  'deniedBy',
  'tunnelPeer',
  'hairpinZone',
  'originalDestination',
  'originalPort',
  'arpScratch',
] as const;
export type RegisterName = (typeof REGISTER_NAMES)[number];

/** What a table may match, may write and may go to. Every compiled flow is checked against this. */
export interface TableSpec {
  /** Number in the switch. Appears here only. */
  readonly id: number;
  readonly name: string;
  /** Header fields and register fields that flows of the table may match. */
  readonly matches: readonly (FieldName | RegisterName)[];
  /** Fields that actions of the table may write. */
  readonly writes: readonly (FieldName | RegisterName)[];
  /** Tables that goto_table, ct(table) or a bucket's resubmit may name. */
  readonly next: readonly string[];
  /** May a packet leave the bridge here? */
  readonly outputs?: true;
  /** May the controller be sent a copy of the packet here? */
  readonly tells?: true;
  /** What happens to a packet that no other flow matches: dropped (and counted), or on to the named table. */
  readonly miss: 'drop' | { readonly next: string };
  readonly doc: string;
}

/** @throws RangeError if ids do not rise, a next table is unknown or lies behind, or a miss goes where flows may not. */
export function definePipeline<const T extends readonly TableSpec[]>(tables: T): T {
  const idOf = new Map<string, number>();
  let last = -1;
  for (const t of tables) {
    if (t.id <= last || t.id > 254) throw new RangeError(`${t.name}: id ${t.id} must be above ${last} and below 255`);
    if (idOf.has(t.name)) throw new RangeError(`${t.name} is defined twice`);
    idOf.set(t.name, t.id);
    last = t.id;
  }
  for (const t of tables) {
    for (const n of t.next) {
      const to = idOf.get(n);
      if (to === undefined) throw new RangeError(`${t.name}: unknown next table ${n}`);
      // goto_table only goes forward (OpenFlow 1.5.1, 5.10); ours holds for ct(table) and resubmit too: no loops.
      if (to <= t.id) throw new RangeError(`${t.name}: going to ${n} goes backwards`);
    }
    if (t.miss !== 'drop' && !t.next.includes(t.miss.next))
      throw new RangeError(`${t.name}: a miss goes to ${t.miss.next}, which is not among its next tables`);
  }
  return tables;
}

const L3 = ['eth_type', 'ip_src', 'ipv6_src', 'ip_dst', 'ipv6_dst'] as const;
const PORTS = ['nw_proto', 'tcp_dst', 'udp_dst', 'sctp_dst'] as const;

/** What verdicts of policy look at, on either side. */
const JUDGES = [
  'conj_id',
  'recheck',
  'ct_label',
  'sourceIdentity',
  'destinationIdentity',
  'eth_type',
  ...PORTS,
] as const;
const EGRESS_JUDGES = [...JUDGES, 'ip_dst', 'ipv6_dst'] as const;
const INGRESS_JUDGES = [...JUDGES, 'ip_src', 'ipv6_src'] as const;

export const PIPELINE = definePipeline([
  {
    id: 0,
    name: 'Classify',
    matches: ['in_port', 'eth_type', 'ip_src', 'ipv6_src', 'tun_id', 'tun_src', 'tun_ipv6_src'],
    writes: ['sourceKind', 'vpc', 'sourceIdentity', 'hairpinZone'],
    next: ['SourceIdentity', 'AntiSpoof', 'ArpNd', 'Conntrack'],
    miss: 'drop',
    doc: 'Says where the packet came from: kind of source, VPC, identity. Tunnel packets are taken from known nodes only.',
  },
  {
    id: 5,
    name: 'SourceIdentity',
    matches: [...L3, 'vpc'],
    writes: ['sourceIdentity'],
    next: ['Conntrack'],
    miss: { next: 'Conntrack' },
    doc: 'VXLAN only: gives tunnel packets the identity of their source address, as far as policies of this node need it.',
  },
  {
    id: 10,
    name: 'AntiSpoof',
    matches: ['in_port', 'eth_src', ...L3, 'nw_proto', 'icmpv6_type', 'nd_target', 'arp_sha', 'arp_spa', 'arp_tpa'],
    writes: [],
    next: ['ArpNd'],
    miss: 'drop',
    doc: 'A pod sends from its own MAC and addresses only, in ARP and neighbour discovery too.',
  },
  {
    id: 15,
    name: 'ArpNd',
    matches: [
      'in_port',
      'sourceKind',
      ...L3,
      'nw_proto',
      'icmpv6_type',
      'icmpv6_code',
      'nd_target',
      'arp_op',
      'arp_spa',
      'arp_tpa',
    ],
    writes: [
      'eth_src',
      'eth_dst',
      'arp_op',
      'arp_sha',
      'arp_tha',
      'arp_spa',
      'arp_tpa',
      'ipv6_src',
      'ipv6_dst',
      'icmpv6_type',
      'arpScratch',
    ],
    next: ['ArpNdReply', 'Concern'],
    outputs: true,
    miss: 'drop',
    doc: 'Answers every ARP request and neighbour solicitation with the router MAC, back to the port it came from.',
  },
  {
    id: 16,
    name: 'ArpNdReply',
    matches: ['eth_type', 'nw_proto', 'icmpv6_type', 'icmpv6_code'],
    writes: ['nd_options_type', 'nd_reserved', 'nd_tll'],
    next: [],
    outputs: true,
    miss: 'drop',
    doc: 'Second half of the neighbour advertisement: its fields can only be written where its type is matched.',
  },
  {
    id: 18,
    name: 'Concern',
    matches: ['in_port'],
    writes: ['plainSender'],
    next: ['Conntrack'],
    miss: { next: 'Conntrack' },
    doc: 'Marks packets of pods that no policy and no service concerns.',
  },
  {
    id: 20,
    name: 'Conntrack',
    matches: ['in_port', 'sourceKind', 'plainSender', 'vpc', ...L3, 'nw_proto'],
    writes: ['established', 'plain'],
    next: ['HairpinReply', 'ConntrackState', 'Route'],
    miss: 'drop',
    doc: 'Sends IP through the connection tracker, in the zone of its VPC.',
  },
  {
    id: 21,
    name: 'HairpinReply',
    matches: ['eth_type'],
    writes: ['hairpin'],
    next: ['ConntrackState'],
    miss: 'drop',
    doc: 'A reply of a pod to itself had its source translated back; now it passes the zone of the VPC.',
  },
  {
    id: 25,
    name: 'ConntrackState',
    matches: [
      'ct_state',
      'ct_mark',
      'in_port',
      ...L3,
      'nw_proto',
      'icmp_type',
      'icmp_code',
      'icmpv6_type',
      'icmpv6_code',
    ],
    writes: ['established', 'recheck'],
    next: ['EgressStanding', 'ServiceAffinity', 'DestinationIdentity', 'Route'],
    miss: { next: 'ServiceAffinity' },
    doc: 'Answers within connections that policy let through skip policy, their other packets are judged again; what the tracker calls invalid is dropped.',
  },
  {
    id: 26,
    name: 'EgressStanding',
    matches: ['eth_type', 'ct_mark', 'ct_label'],
    writes: ['ct_mark', 'deniedBy'],
    next: ['IngressStanding', 'Denied'],
    miss: 'drop',
    doc: 'Asks whether the egress rule that let a connection through still stands, where its policy cuts.',
  },
  {
    id: 27,
    name: 'IngressStanding',
    matches: ['eth_type', 'ct_mark', 'ct_label'],
    writes: ['ct_mark', 'deniedBy'],
    next: ['DestinationIdentity', 'Denied'],
    miss: 'drop',
    doc: 'The same for the ingress rule.',
  },
  {
    id: 30,
    name: 'ServiceAffinity',
    matches: ['eth_type'],
    writes: [],
    next: ['ServiceLB'],
    miss: { next: 'ServiceLB' },
    doc: 'Passes everything on; the place of session affinity.',
  },
  {
    id: 31,
    name: 'ServiceLB',
    matches: ['eth_type', 'ip_dst', 'ipv6_dst', 'vpc', ...PORTS],
    writes: [
      'originalDestination',
      'originalPort',
      'serviceDnat',
      'ip_dst',
      'ipv6_dst',
      'tcp_dst',
      'udp_dst',
      'sctp_dst',
    ],
    next: ['ServiceReject', 'DestinationIdentity'],
    miss: { next: 'DestinationIdentity' },
    doc: 'A service frontend goes to its select group, whose bucket writes the backend into the packet.',
  },
  {
    id: 32,
    name: 'ServiceReject',
    matches: ['sourceKind'],
    writes: ['eth_src', 'eth_dst'],
    next: [],
    outputs: true,
    miss: 'drop',
    doc: "A frontend without backends: pods' packets go to the node's kernel, which refuses them at once.",
  },
  {
    id: 35,
    name: 'DestinationIdentity',
    matches: [
      'established',
      'in_port',
      'sourceKind',
      'vpc',
      'serviceDnat',
      'ct_state',
      'eth_type',
      'ip_dst',
      'ipv6_dst',
    ],
    writes: ['destinationIdentity', 'self'],
    next: ['EgressAdmin', 'Route'],
    miss: { next: 'EgressAdmin' },
    doc: 'Identity of the destination, as far as egress rules of this node need it. What no local pod sent skips egress policy.',
  },
  {
    id: 40,
    name: 'EgressAdmin',
    matches: [...EGRESS_JUDGES],
    writes: ['egressRule', 'egressStrict', 'deniedBy'],
    next: ['EgressPolicy', 'Route', 'Denied'],
    miss: { next: 'EgressPolicy' },
    doc: 'Rules that no network policy overrides: cluster policies of the tier Admin.',
  },
  {
    id: 41,
    name: 'EgressPolicy',
    matches: ['self', ...EGRESS_JUDGES],
    writes: ['egressRule', 'egressStrict', 'deniedBy'],
    next: ['EgressBaseline', 'Route', 'Denied'],
    miss: { next: 'EgressBaseline' },
    doc: 'Egress rules of network policies as conjunctive matches; isolated pods drop what no rule allows.',
  },
  {
    id: 42,
    name: 'EgressBaseline',
    matches: [...EGRESS_JUDGES],
    writes: ['egressRule', 'egressStrict', 'deniedBy'],
    next: ['Route', 'Denied'],
    miss: { next: 'Route' },
    doc: 'Cluster policies of the tier Baseline: for pods that no network policy isolates.',
  },
  {
    id: 50,
    name: 'Route',
    matches: ['in_port', 'self', 'vpc', 'eth_type', 'ip_dst', 'ipv6_dst'],
    writes: ['destinationIdentity', 'outputOfport', 'tunnelPeer', 'self', 'eth_src', 'eth_dst'],
    next: ['IngressAdmin', 'PolicyLog'],
    miss: 'drop',
    doc: 'Longest prefix first: local pod, gateway address, block of another node, everything else to the host.',
  },
  {
    id: 60,
    name: 'IngressAdmin',
    matches: ['established', 'plain', 'tcp_src', 'udp_src', ...INGRESS_JUDGES],
    writes: ['ingressRule', 'ingressStrict', 'deniedBy'],
    next: ['IngressPolicy', 'PolicyLog', 'EgressNat', 'Denied'],
    tells: true,
    miss: { next: 'IngressPolicy' },
    doc: "Rules that no network policy overrides: the pod's own node reaches it (probes); cluster policies of the tier Admin. Answers skip policy; those of name servers are copied to the controller where policies ask for names.",
  },
  {
    id: 61,
    name: 'IngressPolicy',
    matches: ['self', ...INGRESS_JUDGES],
    writes: ['ingressRule', 'ingressStrict', 'deniedBy'],
    next: ['IngressBaseline', 'PolicyLog', 'Denied'],
    miss: { next: 'IngressBaseline' },
    doc: 'Ingress rules of network policies as conjunctive matches; isolated pods drop what no rule allows.',
  },
  {
    id: 62,
    name: 'IngressBaseline',
    matches: [...INGRESS_JUDGES],
    writes: ['ingressRule', 'ingressStrict', 'deniedBy'],
    next: ['PolicyLog', 'Denied'],
    miss: { next: 'PolicyLog' },
    doc: 'Cluster policies of the tier Baseline: for pods that no network policy isolates.',
  },
  {
    id: 65,
    name: 'PolicyLog',
    matches: ['recheck', 'egressRule', 'ingressRule'],
    writes: [],
    next: ['EndpointDNAT'],
    tells: true,
    miss: { next: 'EndpointDNAT' },
    doc: 'Passes everything on; the place where chosen rules tell of new connections that they allowed.',
  },
  {
    id: 70,
    name: 'EndpointDNAT',
    matches: ['established', 'recheck', 'serviceDnat', 'eth_type', 'ip_dst', 'ipv6_dst', ...PORTS],
    writes: ['ip_dst', 'ipv6_dst', 'tcp_dst', 'udp_dst', 'sctp_dst', 'ct_mark', 'ct_label'],
    next: ['ConntrackCommit', 'EgressNat'],
    miss: { next: 'ConntrackCommit' },
    doc: 'Commits an allowed service connection together with its translation; nothing before this remembers the choice.',
  },
  {
    id: 71,
    name: 'ConntrackCommit',
    matches: ['plain', 'eth_type'],
    writes: ['ct_mark', 'ct_label'],
    next: ['EgressNat'],
    miss: 'drop',
    doc: 'Commits an allowed connection with the deciding rules in its label.',
  },
  {
    id: 75,
    name: 'EgressNat',
    matches: ['hairpin', 'self', 'plain', 'ct_state', 'eth_type'],
    writes: ['hairpin'],
    next: ['Output'],
    miss: { next: 'Output' },
    doc: 'A pod that reaches itself through a service sees a link-local source, so that its reply comes back here.',
  },
  {
    id: 80,
    name: 'Denied',
    matches: ['sourceKind', 'sourceIdentity', 'eth_type', 'nw_proto', 'tcp_flags', 'recheck', 'deniedBy'],
    writes: ['ct_mark'],
    next: [],
    tells: true,
    miss: 'drop',
    doc: 'Where policy sends what it denies: dropped; a connection that was allowed before is cut, which its answers see too.',
  },
  {
    id: 90,
    name: 'Output',
    matches: ['hairpin', 'outputOfport', 'tunnelPeer', 'sourceIdentity'],
    writes: ['tun_id', 'tun_dst', 'tun_ipv6_dst', 'tun_metadata0'],
    next: [],
    outputs: true,
    miss: 'drop',
    doc: 'Sends the packet to the port, to the tunnel, or back where it came from.',
  },
]);

export type TableName = (typeof PIPELINE)[number]['name'];

/** Number of each table. */
export const TABLE_ID = Object.fromEntries(PIPELINE.map((t) => [t.name, t.id])) as Readonly<Record<TableName, number>>;

const byId = new Map<number, TableSpec & { readonly name: TableName }>(PIPELINE.map((t) => [t.id, t]));

/** The table with this number, if it is one of ours. */
export const tableById = (id: number): (TableSpec & { readonly name: TableName }) | undefined => byId.get(id);
