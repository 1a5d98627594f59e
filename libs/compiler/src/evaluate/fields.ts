import { ETH, IPPROTO } from '../pipeline/constants.js';
import { EvaluateError } from './errors.js';

/**
 * The fields that the evaluator knows. As in Open vSwitch's flow key, fields of different protocols share storage: the ARP
 * addresses live where the IP addresses do, ICMP type and code where the L4 ports do, ND's option addresses where ARP's
 * hardware addresses do. A missing field is 0.
 */

/** A header or metadata value: `number` up to 32 bits, `bigint` above. */
export type FieldValue = number | bigint;
/** What a packet carries, keyed by storage slot. Only `readField` and `writeField` know the slots of overlapping fields. */
export type Slots = Record<string, FieldValue>;

const isV4 = (s: Slots) => s.eth_type === ETH.ipv4;
const isV6 = (s: Slots) => s.eth_type === ETH.ipv6;
const isIp = (s: Slots) => isV4(s) || isV6(s);
const isIcmp6 = (s: Slots) => isV6(s) && s.nw_proto === IPPROTO.icmpv6;
/** What the packet must be for a field to be read or written; a write to a field that it lacks does nothing, as in OVS. */
const REQUIRES = {
  none: () => true,
  ip: isIp,
  ipv4: isV4,
  ipv6: isV6,
  arp: (s: Slots) => s.eth_type === ETH.arp,
  tcp: (s: Slots) => isIp(s) && s.nw_proto === IPPROTO.tcp,
  udp: (s: Slots) => isIp(s) && s.nw_proto === IPPROTO.udp,
  sctp: (s: Slots) => isIp(s) && s.nw_proto === IPPROTO.sctp,
  icmp: (s: Slots) => isV4(s) && s.nw_proto === IPPROTO.icmp,
  icmpv6: isIcmp6,
  nd: (s: Slots) => isIcmp6(s) && (s.tp_src === 135 || s.tp_src === 136),
  nd_solicit: (s: Slots) => isIcmp6(s) && s.tp_src === 135,
  nd_advert: (s: Slots) => isIcmp6(s) && s.tp_src === 136,
} as const satisfies Record<string, (s: Slots) => boolean>;

interface FieldRow {
  readonly bits: number;
  /** Storage; the field's own name if absent. */
  readonly slot?: string;
  readonly requires?: keyof typeof REQUIRES;
  /** The field is a view of this many registers, the first of them most significant. */
  readonly registers?: readonly string[];
}

const FIXED: Readonly<Record<string, FieldRow>> = {
  in_port: { bits: 32 },
  metadata: { bits: 64 },
  pkt_mark: { bits: 32 },
  conj_id: { bits: 32 },
  tun_id: { bits: 64 },
  tun_src: { bits: 32 },
  tun_dst: { bits: 32 },
  tun_ipv6_src: { bits: 128 },
  tun_ipv6_dst: { bits: 128 },
  tun_metadata0: { bits: 992 },
  ct_state: { bits: 32 },
  ct_zone: { bits: 16 },
  ct_mark: { bits: 32 },
  ct_label: { bits: 128 },
  ct_nw_proto: { bits: 8 },
  ct_nw_src: { bits: 32 },
  ct_nw_dst: { bits: 32 },
  ct_ipv6_src: { bits: 128 },
  ct_ipv6_dst: { bits: 128 },
  ct_tp_src: { bits: 16 },
  ct_tp_dst: { bits: 16 },
  eth_src: { bits: 48 },
  eth_dst: { bits: 48 },
  eth_type: { bits: 16 },
  ip_src: { bits: 32, slot: 'nw_src', requires: 'ipv4' },
  ip_dst: { bits: 32, slot: 'nw_dst', requires: 'ipv4' },
  ipv6_src: { bits: 128, requires: 'ipv6' },
  ipv6_dst: { bits: 128, requires: 'ipv6' },
  ipv6_label: { bits: 20, requires: 'ipv6' },
  nw_proto: { bits: 8, requires: 'ip' },
  nw_tos: { bits: 8, requires: 'ip' },
  nw_ttl: { bits: 8, requires: 'ip' },
  ip_frag: { bits: 2, requires: 'ip' },
  arp_op: { bits: 16, slot: 'nw_proto', requires: 'arp' },
  arp_spa: { bits: 32, slot: 'nw_src', requires: 'arp' },
  arp_tpa: { bits: 32, slot: 'nw_dst', requires: 'arp' },
  arp_sha: { bits: 48, requires: 'arp' },
  arp_tha: { bits: 48, requires: 'arp' },
  tcp_src: { bits: 16, slot: 'tp_src', requires: 'tcp' },
  tcp_dst: { bits: 16, slot: 'tp_dst', requires: 'tcp' },
  tcp_flags: { bits: 12, requires: 'tcp' },
  udp_src: { bits: 16, slot: 'tp_src', requires: 'udp' },
  udp_dst: { bits: 16, slot: 'tp_dst', requires: 'udp' },
  sctp_src: { bits: 16, slot: 'tp_src', requires: 'sctp' },
  sctp_dst: { bits: 16, slot: 'tp_dst', requires: 'sctp' },
  icmp_type: { bits: 8, slot: 'tp_src', requires: 'icmp' },
  icmp_code: { bits: 8, slot: 'tp_dst', requires: 'icmp' },
  icmpv6_type: { bits: 8, slot: 'tp_src', requires: 'icmpv6' },
  icmpv6_code: { bits: 8, slot: 'tp_dst', requires: 'icmpv6' },
  nd_target: { bits: 128, requires: 'nd' },
  nd_sll: { bits: 48, slot: 'arp_sha', requires: 'nd_solicit' },
  nd_tll: { bits: 48, slot: 'arp_tha', requires: 'nd_advert' },
  nd_reserved: { bits: 32, requires: 'nd' },
  nd_options_type: { bits: 8, requires: 'nd' },
};

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const REGISTERS: Readonly<Record<string, FieldRow>> = Object.fromEntries([
  ...range(16).map((i) => [`reg${i}`, { bits: 32 }] as const),
  ...range(8).map((i) => [`xreg${i}`, { bits: 64, registers: range(2).map((k) => `reg${2 * i + k}`) }] as const),
  ...range(4).map((i) => [`xxreg${i}`, { bits: 128, registers: range(4).map((k) => `reg${4 * i + k}`) }] as const),
]);
const ROWS = new Map<string, FieldRow>(Object.entries({ ...FIXED, ...REGISTERS }));

/** @throws EvaluateError for a field that the evaluator does not model. */
export function fieldRow(name: string): FieldRow {
  const row = ROWS.get(name);
  if (row === undefined) throw new EvaluateError('', `field ${name} is not modelled`);
  return row;
}

/** True if the packet has the field (its protocol is there). */
export const hasField = (slots: Slots, name: string): boolean => REQUIRES[fieldRow(name).requires ?? 'none'](slots);

/** Reads a field as an unsigned number of the field's type; 0 where nothing was ever written. */
export function readField(slots: Slots, name: string): FieldValue {
  const row = fieldRow(name);
  if (row.registers !== undefined)
    return row.registers.reduce((value, reg) => (value << 32n) | BigInt(slots[reg] ?? 0), 0n);
  return slots[row.slot ?? name] ?? (row.bits <= 32 ? 0 : 0n);
}

/** Writes a field, whether or not the packet has it. */
export function writeField(slots: Slots, name: string, value: FieldValue): void {
  const row = fieldRow(name);
  if (row.registers !== undefined) {
    const wide = BigInt(value);
    const last = row.registers.length - 1;
    row.registers.forEach((reg, i) => {
      slots[reg] = Number((wide >> BigInt(32 * (last - i))) & 0xffff_ffffn);
    });
    return;
  }
  slots[row.slot ?? name] = row.bits <= 32 ? Number(value) : BigInt(value);
}

export interface SubfieldRef {
  readonly field: string;
  readonly offset: number;
  readonly bits: number;
}

const ones = (bits: number) => (1n << BigInt(bits)) - 1n;

export function readSubfield(slots: Slots, { field, offset, bits }: SubfieldRef): bigint {
  return (BigInt(readField(slots, field)) >> BigInt(offset)) & ones(bits);
}

export function writeSubfield(slots: Slots, { field, offset, bits }: SubfieldRef, value: bigint): void {
  writeMasked(slots, field, value << BigInt(offset), ones(bits) << BigInt(offset));
}

/** Writes the bits of a field that `mask` selects; without a mask, all of them. */
export function writeMasked(slots: Slots, field: string, value: FieldValue, mask?: FieldValue): void {
  if (mask === undefined) writeField(slots, field, value);
  else {
    const old = BigInt(readField(slots, field));
    const bits = BigInt(mask);
    writeField(slots, field, (old & ~bits) | (BigInt(value) & bits));
  }
}
