import { formatIpv4, formatMac } from '../addresses.js';
import { formatFlags, formatIpv6Text, formatPacketType, TCP_FLAGS } from './values.js';

// Packets as Open vSwitch writes their headers: `tcp,vlan_tci=0x0000,dl_src=...,tp_dst=80,tcp_flags=syn tcp_csum:1234`.

const ETH = {
  IP: 0x0800,
  ARP: 0x0806,
  RARP: 0x8035,
  VLAN: 0x8100,
  QINQ: 0x88a8,
  IPV6: 0x86dd,
  MPLS: 0x8847,
  MPLSM: 0x8848,
} as const;
/** What a frame with a length instead of a type counts as. */
const NO_TYPE = 0x05ff;
const PROTO = {
  HOP: 0,
  ICMP: 1,
  IGMP: 2,
  TCP: 6,
  UDP: 17,
  ROUTING: 43,
  FRAGMENT: 44,
  AH: 51,
  ICMPV6: 58,
  DESTINATION: 60,
  SCTP: 132,
} as const;
const MAX_TAGS = 2;
const MAX_LABELS = 3;

/** Reads numbers at offsets; bytes that are not there are zero, and `has` says whether they are. */
class Bytes {
  constructor(
    private readonly data: Uint8Array,
    readonly end = data.length,
  ) {}
  has(at: number, n: number): boolean {
    return at + n <= this.end;
  }
  u8(at: number): number {
    return at < this.end ? (this.data[at] ?? 0) : 0;
  }
  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
  u32(at: number): number {
    return ((this.u16(at) << 16) | this.u16(at + 2)) >>> 0;
  }
  big(at: number, n: number): bigint {
    let value = 0n;
    for (let i = 0; i < n; i++) value = (value << 8n) | BigInt(this.u8(at + i));
    return value;
  }
  upTo(end: number): Bytes {
    return new Bytes(this.data, Math.min(end, this.end));
  }
}
const NOTHING = new Bytes(new Uint8Array(0));

interface Transport {
  readonly proto: number;
  /** Bytes up to the end of the network layer's packet. */
  readonly b: Bytes;
  readonly at: number;
  readonly later: boolean;
}

const hex4 = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`;
const hex = (n: number): string => (n === 0 ? '0' : `0x${n.toString(16)}`);
const fragment = (any: boolean, later: boolean): string => (later ? 'later' : any ? 'first' : 'no');
const WORDS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const WORDS6: Readonly<Record<number, string>> = { 6: 'tcp6', 17: 'udp6', 58: 'icmp6', 132: 'sctp6' };

/** `nw_proto` where no word says it, and what all of IP has. */
const common = (word: string | undefined, proto: number, tos: number, ttl: number, frag: string): string[] => [
  ...(word === undefined ? [`nw_proto=${proto}`] : []),
  `nw_tos=${tos & 0xfc}`,
  `nw_ecn=${tos & 3}`,
  `nw_ttl=${ttl}`,
  `nw_frag=${frag}`,
];

interface Network {
  readonly word: string;
  readonly parts: readonly string[];
  readonly transport?: Transport;
}

function ipv4(b: Bytes, at: number): Network {
  const headerBytes = (b.u8(at) & 15) * 4;
  const total = b.u16(at + 2);
  const sound =
    b.has(at, 20) && headerBytes >= 20 && b.has(at, headerBytes) && b.has(at, total) && headerBytes <= total;
  const h = sound ? b : NOTHING;
  const proto = h.u8(at + 9);
  const offset = h.u16(at + 6);
  const later = (offset & 0x1fff) !== 0;
  const word = WORDS[proto];
  return {
    word: word ?? 'ip',
    parts: [
      `nw_src=${formatIpv4(h.u32(at + 12))}`,
      `nw_dst=${formatIpv4(h.u32(at + 16))}`,
      ...common(word, proto, h.u8(at + 1), h.u8(at + 8), fragment((offset & 0x3fff) !== 0, later)),
    ],
    transport: { proto, b: sound ? b.upTo(at + total) : NOTHING, at: at + headerBytes, later },
  };
}

function ipv6(b: Bytes, at: number): Network {
  const length = b.u16(at + 4);
  const sound = b.has(at, 40) && b.has(at + 40, length);
  const h = sound ? b.upTo(at + 40 + length) : NOTHING;
  let proto = h.u8(at + 6);
  let pos = at + 40;
  let any = false;
  let later = false;
  // Extension headers, until the transport or the rest of a fragment.
  while (sound && !later) {
    if (proto === PROTO.HOP || proto === PROTO.ROUTING || proto === PROTO.DESTINATION) {
      if (!h.has(pos, 8)) break;
      proto = h.u8(pos);
      pos += (h.u8(pos + 1) + 1) * 8;
    } else if (proto === PROTO.AH) {
      if (!h.has(pos, 8)) break;
      proto = h.u8(pos);
      pos += (h.u8(pos + 1) + 2) * 4;
    } else if (proto === PROTO.FRAGMENT) {
      if (!h.has(pos, 8)) break;
      const offset = h.u16(pos + 2);
      any ||= (offset & 0xfff9) !== 0;
      if ((offset & 0xfff8) !== 0) {
        later = true;
        proto = PROTO.FRAGMENT;
        break;
      }
      proto = h.u8(pos);
      pos += 8;
    } else break;
  }
  const word = WORDS6[proto];
  const tos = (h.u16(at) >>> 4) & 0xff;
  return {
    word: word ?? 'ipv6',
    parts: [
      `ipv6_src=${formatIpv6Text(h.big(at + 8, 16))}`,
      `ipv6_dst=${formatIpv6Text(h.big(at + 24, 16))}`,
      `ipv6_label=0x${(h.u32(at) & 0xfffff).toString(16).padStart(5, '0')}`,
      ...common(word, proto, tos, h.u8(at + 7), fragment(any, later)),
    ],
    transport: { proto, b: h, at: pos, later },
  };
}

function arp(b: Bytes, at: number): string[] {
  const sound =
    b.has(at, 28) && b.u16(at) === 1 && b.u16(at + 2) === ETH.IP && b.u8(at + 4) === 6 && b.u8(at + 5) === 4;
  const h = sound ? b : NOTHING;
  const op = h.u16(at + 6);
  return [
    `arp_spa=${formatIpv4(h.u32(at + 14))}`,
    `arp_tpa=${formatIpv4(h.u32(at + 24))}`,
    `arp_op=${op <= 0xff ? op : 0}`,
    `arp_sha=${formatMac(h.big(at + 8, 6))}`,
    `arp_tha=${formatMac(h.big(at + 18, 6))}`,
  ];
}

function mpls(b: Bytes, at: number): string[] {
  const first = b.u32(at);
  const parts = [
    `mpls_label=${first >>> 12}`,
    `mpls_tc=${(first >>> 9) & 7}`,
    `mpls_ttl=${first & 0xff}`,
    `mpls_bos=${(first >>> 8) & 1}`,
  ];
  for (let i = 1, entry = first; i < MAX_LABELS && ((entry >>> 8) & 1) === 0; i++) {
    entry = b.u32(at + 4 * i);
    parts.push(`mpls_lse${i}=${hex(entry)}`);
  }
  return parts;
}

/** Options of neighbour discovery: link-layer addresses of source (1) and target (2). */
function neighbour(b: Bytes, at: number): string[] {
  let sll = 0n;
  let tll = 0n;
  for (let pos = at + 24; b.has(pos, 8); ) {
    const length = b.u8(pos + 1) * 8;
    if (length === 0 || !b.has(pos, length))
      return [`nd_target=::`, `nd_sll=${formatMac(0n)}`, `nd_tll=${formatMac(0n)}`];
    if (length === 8 && b.u8(pos) === 1) sll = b.big(pos + 2, 6);
    else if (length === 8 && b.u8(pos) === 2) tll = b.big(pos + 2, 6);
    pos += length;
  }
  return [`nd_target=${formatIpv6Text(b.big(at + 8, 16))}`, `nd_sll=${formatMac(sll)}`, `nd_tll=${formatMac(tll)}`];
}

const ports = (b: Bytes, at: number): string[] => [`tp_src=${b.u16(at)}`, `tp_dst=${b.u16(at + 2)}`];
const icmp = (b: Bytes, at: number): string[] => [`icmp_type=${b.u8(at)}`, `icmp_code=${b.u8(at + 1)}`];

/** Fields and checksum of the transport layer. What is cut off is zero. */
function transport({ proto, b, at, later }: Transport): { parts: readonly string[]; checksum: string } {
  const size: Readonly<Record<number, number>> = { 1: 8, 2: 8, 6: 20, 17: 8, 58: 8, 132: 12 };
  const need = size[proto];
  if (need === undefined) return { parts: [], checksum: '' };
  const whole = b.has(at, need);
  const h = whole ? b : NOTHING;
  const sum16 = (name: string, offset: number): string =>
    whole ? ` ${name}_csum:${b.u16(at + offset).toString(16)}` : '';
  switch (proto) {
    case PROTO.TCP: {
      const flags = `tcp_flags=${formatFlags(TCP_FLAGS, h.u16(at + 12) & 0xfff, undefined)}`;
      return { parts: later ? [] : [...ports(h, at), flags], checksum: sum16('tcp', 16) };
    }
    case PROTO.UDP:
      return { parts: later ? [] : ports(h, at), checksum: sum16('udp', 6) };
    case PROTO.SCTP:
      return {
        parts: later ? [] : ports(h, at),
        checksum: whole ? ` sctp_csum:${b.u32(at + 8).toString(16)}` : '',
      };
    case PROTO.ICMP:
      return { parts: later ? [] : icmp(h, at), checksum: sum16('icmp', 2) };
    case PROTO.ICMPV6: {
      const type = h.u8(at);
      const discovery = (type === 135 || type === 136) && h.u8(at + 1) === 0 && b.has(at, 24);
      const parts = [...icmp(h, at), ...(discovery ? neighbour(b, at) : [])];
      return { parts: later ? [] : parts, checksum: sum16('icmp6', 2) };
    }
    default:
      return { parts: later ? [] : [`tp_src=${h.u8(at)}`, `tp_dst=${h.u8(at + 1)}`], checksum: '' };
  }
}

/** The type at `at` and where its payload begins: a type, or a length and perhaps a SNAP header with a type. */
function etherType(b: Bytes, at: number): readonly [type: number, next: number] {
  const type = b.u16(at);
  if (type >= 0x600) return [type, at + 2];
  const snap = b.u16(at + 2) === 0xaaaa && b.u8(at + 4) === 3 && b.big(at + 5, 3) === 0n;
  if (!b.has(at + 2, 8) || !snap || b.u16(at + 8) < 0x600) return [NO_TYPE, at + 2];
  return [b.u16(at + 8), at + 10];
}

/** The headers of a packet, an Ethernet frame unless `packetType` (namespace << 16 | type) says that it begins otherwise. */
export function formatPacket(data: Uint8Array, packetType = 0): string {
  const b = new Bytes(data);
  const head: string[] = [];
  let type: number;
  let at = 0;
  const link: string[] = [];
  if (packetType === 0) {
    const sound = b.has(0, 14);
    const h = sound ? b : NOTHING;
    const tags: number[] = [];
    at = 12;
    while (sound && tags.length < MAX_TAGS && (b.u16(at) === ETH.VLAN || b.u16(at) === ETH.QINQ) && b.has(at, 6)) {
      tags.push(b.u16(at + 2) | 0x1000);
      at += 4;
    }
    tags.forEach((tci, i) => {
      const n = i === 0 ? '' : `${i}`;
      link.push(`dl_vlan${n}=${tci & 0xfff}`, `dl_vlan_pcp${n}=${tci >>> 13}`);
    });
    if (tags.length < MAX_TAGS) link.push(`vlan_tci${tags.length === 0 ? '' : tags.length}=0x0000`);
    link.push(`dl_src=${formatMac(h.big(6, 6))}`, `dl_dst=${formatMac(h.big(0, 6))}`);
    [type, at] = sound ? etherType(b, at) : [0, 14];
  } else {
    head.push(`packet_type=${formatPacketType(packetType)}`);
    type = packetType >>> 16 === 1 ? packetType & 0xffff : 0;
  }
  if (type === ETH.IP || type === ETH.IPV6) {
    const network = type === ETH.IP ? ipv4(b, at) : ipv6(b, at);
    const { parts, checksum } = network.transport ? transport(network.transport) : { parts: [], checksum: '' };
    return [...head, network.word, ...link, ...network.parts, ...parts].join() + checksum;
  }
  if (type === ETH.ARP) return [...head, 'arp', ...link, ...arp(b, at)].join();
  if (type === ETH.RARP) return [...head, 'rarp', ...link, ...arp(b, at)].join();
  if (type === ETH.MPLS) return [...head, 'mpls', ...link, ...mpls(b, at)].join();
  if (type === ETH.MPLSM) return [...head, 'mplsm', ...link, ...mpls(b, at)].join();
  return [...head, ...link, `dl_type=${hex4(type)}`].join();
}
