import { parseIpv4, parseIpv6 } from 'openflow-ts/codec';
import type { Family, Vpc } from '../model/brands.js';

/** Values of the register field `sourceKind`. */
export const SOURCE_KIND = { pod: 1, tunnel: 2, host: 3 } as const;

/** ct_mark bits. */
export const CT_MARK = {
  /** The connection passed policy in both directions that it concerns. Nothing of ours is committed without it. */
  allowed: {
    bit: 0,
    doc: 'The connection passed policy: answers skip it from now on. Taken away when policy denies a packet of it.',
  },
  egressStrict: {
    bit: 1,
    doc: 'The egress rule is of a policy that cuts: the connection ends with this rule.',
  },
  ingressStrict: {
    bit: 2,
    doc: 'The ingress rule is of a policy that cuts: the connection ends with this rule.',
  },
  ended: { bit: 3, doc: 'The connection ended with its rule. What TCP still sends of it is dropped.' },
} as const;

/** ct_label bits. */
export const CT_LABEL = {
  egressRule: {
    lsb: 0,
    msb: 31,
    doc: 'Object id of the egress rule that allowed the connection; 0 if none was needed.',
  },
  ingressRule: {
    lsb: 32,
    msb: 63,
    doc: 'Object id of the ingress rule that allowed the connection; 0 if none was needed.',
  },
} as const;

/** Bits of ct_state (Open vSwitch, ovs-fields(7)). */
export const CT_STATE = {
  new: 0x01,
  est: 0x02,
  rel: 0x04,
  rpl: 0x08,
  inv: 0x10,
  trk: 0x20,
  snat: 0x40,
  dnat: 0x80,
} as const;

/** The VPC of everything that names none: pods of the default network, the host, services. */
export const DEFAULT_VPC = 1 as Vpc;

/** Conntrack zones. Zone 0 is the host's and never used. */
export const CT_ZONES = {
  vpc: { first: 1, last: 0x7fff, doc: 'Zone n belongs to VPC n.' },
  hairpin: {
    first: 0x8001,
    last: 0xffff,
    doc: 'Zone 0x8000 + n translates the source of packets of a pod to itself in VPC n.',
  },
} as const;
/** @throws RangeError for a VPC that has no zone of its own */
export function hairpinZone(vpc: Vpc): number {
  if (vpc > CT_ZONES.vpc.last) throw new RangeError(`VPC ${vpc} not in 1..${CT_ZONES.vpc.last}`);
  return 0x8000 + vpc;
}

/** Source that a pod sees when it reaches itself through a service. */
export const HAIRPIN_ADDRESS: Readonly<Record<Family, string>> = { 4: '169.254.1.2', 6: 'fd00:4865:6464:6c65::2' };
export const HAIRPIN_IPV4 = parseIpv4(HAIRPIN_ADDRESS[4]);
export const HAIRPIN_IPV6 = parseIpv6(HAIRPIN_ADDRESS[6]);

/** Ethernet types and IP protocols that the pipeline names. */
export const ETH = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const IPPROTO = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
/** Neighbour discovery (RFC 4861) and the errors that the host's kernel answers refused packets with (RFC 792, RFC 4443). */
export const ICMP = {
  v4PortUnreachable: { type: 3, code: 3 },
  v6PortUnreachable: { type: 1, code: 4 },
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
} as const;
