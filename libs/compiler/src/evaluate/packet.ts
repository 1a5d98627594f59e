import { parseIpv4, parseIpv6, parseMac } from 'openflow-ts/codec';
import { ETH, IPPROTO } from '../pipeline/constants.js';
import { type FieldValue, readField, type Slots, writeField } from './fields.js';

/** A packet outside a switch: headers only, no metadata. Make it with one of the constructors below. */
export interface Packet {
  readonly headers: Readonly<Slots>;
  /** ICMP and ICMPv6 errors: the headers of the packet that the error is about. */
  readonly inner?: Readonly<Slots>;
}

/** TCP flags (RFC 9293, 3.1). */
export const TCP_FLAGS = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/** Slots that belong to a packet on the wire; all others are metadata that no wire carries. */
const HEADER_SLOTS = new Set([
  'eth_src',
  'eth_dst',
  'eth_type',
  'nw_src',
  'nw_dst',
  'ipv6_src',
  'ipv6_dst',
  'ipv6_label',
  'nw_proto',
  'nw_tos',
  'nw_ttl',
  'ip_frag',
  'arp_sha',
  'arp_tha',
  'tp_src',
  'tp_dst',
  'tcp_flags',
  'icmp_id',
  'nd_target',
  'nd_reserved',
  'nd_options_type',
]);

export const headersOf = (slots: Slots): Slots =>
  Object.fromEntries(Object.entries(slots).filter(([slot]) => HEADER_SLOTS.has(slot)));

export interface L2 {
  readonly ethSrc: string;
  readonly ethDst: string;
}
export interface L3 extends L2 {
  readonly src: string;
  readonly dst: string;
  /** Default 64. */
  readonly ttl?: number;
}
export interface L4 extends L3 {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly srcPort: number;
  readonly dstPort: number;
  /** TCP_FLAGS; default SYN. */
  readonly tcpFlags?: number;
}

function l3Slots({ ethSrc, ethDst, src, dst, ttl = 64 }: L3, protocol: number): Slots {
  const l2 = { eth_src: parseMac(ethSrc), eth_dst: parseMac(ethDst), nw_proto: protocol, nw_ttl: ttl };
  return src.includes(':')
    ? { ...l2, eth_type: ETH.ipv6, ipv6_src: parseIpv6(src), ipv6_dst: parseIpv6(dst) }
    : { ...l2, eth_type: ETH.ipv4, nw_src: parseIpv4(src), nw_dst: parseIpv4(dst) };
}

export function l4Packet(p: L4): Packet {
  const headers: Slots = { ...l3Slots(p, IPPROTO[p.protocol]), tp_src: p.srcPort, tp_dst: p.dstPort };
  if (p.protocol === 'tcp') headers.tcp_flags = p.tcpFlags ?? TCP_FLAGS.syn;
  return { headers };
}

/** ICMP or ICMPv6 echo, by the family of the addresses. */
export function echoPacket(p: L3 & { readonly id: number; readonly reply?: boolean }): Packet {
  const v6 = p.src.includes(':');
  const type = v6 ? (p.reply ? 129 : 128) : p.reply ? 0 : 8;
  const headers = { ...l3Slots(p, v6 ? IPPROTO.icmpv6 : IPPROTO.icmp), tp_src: type, tp_dst: 0, icmp_id: p.id };
  return { headers };
}

/** ICMP "destination unreachable" (type 3, or ICMPv6 type 1) about `about`, which must be as its receiver saw it. */
export function unreachablePacket(p: L3 & { readonly code: number; readonly about: Packet }): Packet {
  const v6 = p.src.includes(':');
  const headers: Slots = l3Slots(p, v6 ? IPPROTO.icmpv6 : IPPROTO.icmp);
  headers.tp_src = v6 ? 1 : 3;
  headers.tp_dst = p.code;
  return { headers, inner: p.about.headers };
}

/** IP packet of another protocol. */
export const ipPacket = (p: L3 & { readonly protocolNumber: number }): Packet => ({
  headers: l3Slots(p, p.protocolNumber),
});

export function arpPacket(
  p: L2 & {
    readonly op: 1 | 2;
    readonly sha: string;
    readonly spa: string;
    readonly tha: string;
    readonly tpa: string;
  },
): Packet {
  const headers: Slots = { eth_src: parseMac(p.ethSrc), eth_dst: parseMac(p.ethDst), eth_type: ETH.arp };
  const fields = {
    arp_op: p.op,
    arp_sha: parseMac(p.sha),
    arp_spa: parseIpv4(p.spa),
    arp_tha: parseMac(p.tha),
    arp_tpa: parseIpv4(p.tpa),
  };
  for (const [name, value] of Object.entries(fields)) writeField(headers, name, value);
  return { headers };
}

/** Neighbour solicitation (RFC 4861, 4.3); without `sll` the option is absent, as in duplicate address detection. */
export function neighbourSolicitation(p: L3 & { readonly target: string; readonly sll?: string }): Packet {
  const headers: Slots = { ...l3Slots({ ...p, ttl: 255 }, IPPROTO.icmpv6), tp_src: 135, tp_dst: 0 };
  headers.nd_target = parseIpv6(p.target);
  if (p.sll !== undefined) {
    headers.arp_sha = parseMac(p.sll);
    headers.nd_options_type = 1;
  }
  return { headers };
}

/** Neighbour advertisement (RFC 4861, 4.4). */
export function neighbourAdvertisement(p: L3 & { readonly target: string; readonly tll: string }): Packet {
  const headers: Slots = { ...l3Slots({ ...p, ttl: 255 }, IPPROTO.icmpv6), tp_src: 136, tp_dst: 0 };
  headers.nd_target = parseIpv6(p.target);
  headers.arp_tha = parseMac(p.tll);
  headers.nd_options_type = 2;
  return { headers };
}

/** Reads a header field of a packet by its OpenFlow name. */
export const header = (packet: Packet, field: string): FieldValue => readField({ ...packet.headers }, field);

/**
 * What the receiver of an IP packet sends back: addresses and ports turned round. TCP: SYN is answered by SYN|ACK, all else
 * by ACK; ICMP echo by its reply. MAC addresses are turned round too, as a pod's neighbour entry does.
 */
export function replyTo(packet: Packet): Packet {
  const h = packet.headers;
  const swap = (a: string, b: string) => ({
    ...(h[b] === undefined ? {} : { [a]: h[b] }),
    ...(h[a] === undefined ? {} : { [b]: h[a] }),
  });
  const headers: Slots = {
    ...h,
    ...swap('eth_src', 'eth_dst'),
    ...swap('nw_src', 'nw_dst'),
    ...swap('ipv6_src', 'ipv6_dst'),
    nw_ttl: 64,
  };
  if (h.nw_proto === IPPROTO.icmp) headers.tp_src = 0;
  else if (h.nw_proto === IPPROTO.icmpv6) headers.tp_src = 129;
  else Object.assign(headers, swap('tp_src', 'tp_dst'));
  if (h.nw_proto === IPPROTO.tcp)
    headers.tcp_flags = h.tcp_flags === TCP_FLAGS.syn ? TCP_FLAGS.syn | TCP_FLAGS.ack : TCP_FLAGS.ack;
  return { headers };
}
