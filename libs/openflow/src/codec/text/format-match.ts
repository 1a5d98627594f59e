import { formatMac } from '../addresses.js';
import type { Match } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';
import { normalizeMatch, significantOnes } from '../normal/match.js';
import {
  CT_STATES,
  formatFlags,
  formatFragment,
  formatIpv4Masked,
  formatIpv6Masked,
  formatPacketType,
  formatPort,
  hex,
  type Names,
  TCP_FLAGS,
  TUN_FLAGS,
} from './values.js';

type Value = number | bigint;
type Entries = Readonly<Record<string, Value | readonly [Value, Value] | undefined>>;

const ETH_IP = 0x0800;
const ETH_ARP = 0x0806;
const ETH_RARP = 0x8035;
const ETH_IPV6 = 0x86dd;

/** Words that stand for eth_type and nw_proto together: `tcp` is 0x800 and 6. */
const IP_WORDS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const IPV6_WORDS: Readonly<Record<number, string>> = { 6: 'tcp6', 17: 'udp6', 58: 'icmp6', 132: 'sctp6' };
const TYPE_WORDS: Readonly<Record<number, string>> = {
  [ETH_IP]: 'ip',
  [ETH_ARP]: 'arp',
  [ETH_RARP]: 'rarp',
  [ETH_IPV6]: 'ipv6',
  34887: 'mpls',
  34888: 'mplsm',
};

/** Collects `name=value` parts in the order in which Open vSwitch prints them. */
class MatchPrinter {
  readonly parts: string[] = [];
  constructor(
    private readonly entries: Entries,
    private readonly names: Names,
  ) {}

  value(field: FieldName): number | undefined {
    const e = this.entries[field];
    return typeof e === 'number' ? e : undefined;
  }
  private each(field: FieldName, text: string, print: (value: Value, mask: Value | undefined) => string): void {
    const e = this.entries[field];
    if (e === undefined) return;
    this.parts.push(`${text}=${typeof e === 'object' ? print(e[0], e[1]) : print(e, undefined)}`);
  }
  hex(field: FieldName, text: string = field): void {
    this.each(field, text, (v, m) => (m === undefined ? hex(v) : `${hex(v)}/${hex(m)}`));
  }
  /** Decimal; with a mask both in hexadecimal. */
  dec(field: FieldName, text: string = field): void {
    this.each(field, text, (v, m) => (m === undefined ? `${v}` : `0x${v.toString(16)}/0x${m.toString(16)}`));
  }
  ipv4(field: FieldName, text: string = field): void {
    this.each(field, text, (v, m) => formatIpv4Masked(v as number, m as number | undefined));
  }
  ipv6(field: FieldName): void {
    this.each(field, field, (v, m) => formatIpv6Masked(v as bigint, m as bigint | undefined));
  }
  mac(field: FieldName, text: string = field): void {
    this.each(field, text, (v, m) => formatMac(v as bigint) + (m === undefined ? '' : `/${formatMac(m as bigint)}`));
  }
  port(field: FieldName): void {
    this.each(field, field, (v) => formatPort(v as number, this.names));
  }
  flags(field: FieldName, words: readonly string[], exactAll = false): void {
    this.each(field, field, (v, m) =>
      m === undefined && !exactAll
        ? formatFlags(words, v as number, undefined)
        : formatFlags([...words], v as number, m as number | undefined),
    );
  }

  /** Open vSwitch prints no mask here. */
  bare(field: FieldName, print: (value: Value) => string): void {
    this.each(field, field, print);
  }

  tags(): void {
    const vid = this.entries.vlan_vid;
    const pcp = this.value('vlan_pcp');
    if (vid === undefined && pcp === undefined) return;
    const value = typeof vid === 'object' ? Number(vid[0]) : Number(vid ?? 0x1000);
    const mask = typeof vid === 'object' ? Number(vid[1]) : vid === undefined ? 0x1000 : 0x1fff;
    const tci = (value & mask) | ((pcp ?? 0) << 13);
    const tciMask = mask | (pcp === undefined ? 0 : 0xe000);
    const vidBits = mask & 0xfff;
    if (value & mask & 0x1000 && (vidBits === 0 || vidBits === 0xfff) && (vidBits !== 0 || pcp !== undefined)) {
      if (vidBits !== 0) this.parts.push(`dl_vlan=${value & 0xfff}`);
      if (pcp !== undefined) this.parts.push(`dl_vlan_pcp=${pcp}`);
      return;
    }
    const four = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`;
    this.parts.push(`vlan_tci=${four(tci)}${tciMask === 0xffff ? '' : `/${four(tciMask)}`}`);
  }
  ipv6Label(): void {
    const five = (n: Value): string => `0x${n.toString(16).padStart(5, '0')}`;
    this.each('ipv6_label', 'ipv6_label', (v, m) => (m === undefined ? five(v) : `${five(v)}/${five(m)}`));
  }
  tunnelMetadata(bytes: Match['tlvBytes']): void {
    // Of 64 fields hardly a match has any.
    if (!Object.keys(this.entries).some((field) => field.startsWith('tun_metadata'))) return;
    for (let i = 0; i < 64; i++) {
      const field = `tun_metadata${i}` as FieldName;
      const e = this.entries[field];
      if (e === undefined) continue;
      if (typeof e === 'object') {
        const none = bytes?.[field] === 0 || e[1] === 0n;
        this.parts.push(none ? field : `${field}=${hex(e[0])}/${hex(e[1])}`);
      } else this.parts.push(`${field}=${hex(e)}`);
    }
  }
}

/** The parts of a match as `ovs-ofctl` prints them: `['tcp', 'in_port=1', 'tp_dst=80']`. */
export function matchParts(match: Match, names: Names = {}): string[] {
  const normal = normalizeMatch(match);
  const p = new MatchPrinter(normal as Entries, names);
  const put = (text: string): void => void p.parts.push(text);

  p.hex('pkt_mark');
  p.hex('recirc_id');
  p.hex('dp_hash');
  p.dec('conj_id');
  p.port('actset_output');
  p.flags('ct_state', CT_STATES);
  p.dec('ct_zone');
  p.hex('ct_mark');
  p.hex('ct_label');
  p.ipv4('ct_nw_src');
  p.ipv6('ct_ipv6_src');
  p.ipv4('ct_nw_dst');
  p.ipv6('ct_ipv6_dst');
  p.dec('ct_nw_proto');
  p.dec('ct_tp_src');
  p.dec('ct_tp_dst');

  let type = p.value('eth_type');
  const packetType = p.value('packet_type');
  if (packetType !== undefined) {
    put(`packet_type=${formatPacketType(packetType)}`);
    if (packetType >>> 16 === 1) type ??= packetType & 0xffff;
  }
  const given = p.value('eth_type');
  const proto = p.value('nw_proto');
  const protoWord =
    proto === undefined
      ? undefined
      : given === ETH_IP
        ? IP_WORDS[proto]
        : given === ETH_IPV6
          ? IPV6_WORDS[proto]
          : undefined;
  const word = protoWord ?? (given === undefined ? undefined : TYPE_WORDS[given]);
  if (word !== undefined) put(word);

  for (let i = 0; i < 32; i++) p.hex(`reg${i}` as FieldName);
  p.hex('tun_id');
  p.ipv4('tun_src');
  p.ipv4('tun_dst');
  p.ipv6('tun_ipv6_src');
  p.ipv6('tun_ipv6_dst');
  p.dec('tun_gbp_id');
  p.hex('tun_gbp_flags');
  p.bare('tun_erspan_ver', String);
  p.bare('tun_erspan_idx', hex);
  p.bare('tun_erspan_dir', String);
  p.bare('tun_erspan_hwid', hex);
  p.hex('tun_gtpu_flags');
  p.dec('tun_gtpu_msgtype');
  if (normal.tun_flags !== undefined) put(`tun_flags=${p.value('tun_flags') ? '+' : '-'}${TUN_FLAGS[0]}`);
  p.tunnelMetadata(match.tlvBytes);
  p.hex('metadata');
  p.port('in_port');
  p.tags();
  p.mac('eth_src', 'dl_src');
  p.mac('eth_dst', 'dl_dst');
  if (given !== undefined && TYPE_WORDS[given] === undefined) put(`dl_type=0x${given.toString(16).padStart(4, '0')}`);

  const arp = type === ETH_ARP || type === ETH_RARP;
  p.ipv6('ipv6_src');
  p.ipv6('ipv6_dst');
  p.ipv6Label();
  p.ipv4('arp_spa');
  p.ipv4('arp_tpa');
  p.dec('nsh_flags');
  p.dec('nsh_ttl');
  p.dec('nsh_mdtype');
  p.dec('nsh_np');
  p.hex('nsh_spi');
  p.dec('nsh_si');
  for (let i = 1; i <= 4; i++) p.hex(`nsh_c${i}` as FieldName);
  p.ipv4('ip_src', 'nw_src');
  p.ipv4('ip_dst', 'nw_dst');
  if (proto !== undefined && protoWord === undefined) put(`${arp ? 'arp_op' : 'nw_proto'}=${proto}`);
  p.dec('arp_op');
  p.mac('arp_sha');
  p.mac('arp_tha');
  const dscp = p.value('ip_dscp');
  if (dscp !== undefined) put(`nw_tos=${dscp << 2}`);
  p.dec('nw_ecn');
  p.dec('nw_ttl');
  p.dec('mpls_label');
  p.dec('mpls_tc');
  p.dec('mpls_ttl');
  p.dec('mpls_bos');
  const frag = normal.ip_frag;
  if (frag !== undefined)
    put(`nw_frag=${typeof frag === 'object' ? formatFragment(frag[0], frag[1]) : formatFragment(frag)}`);
  p.dec('icmp_type');
  p.dec('icmp_code');
  p.dec('icmpv6_type', 'icmp_type');
  p.dec('icmpv6_code', 'icmp_code');
  p.ipv6('nd_target');
  p.mac('nd_sll');
  p.mac('nd_tll');
  p.dec('nd_reserved');
  p.dec('nd_options_type');
  p.dec('tcp_src', 'tp_src');
  p.dec('tcp_dst', 'tp_dst');
  p.dec('udp_src', 'tp_src');
  p.dec('udp_dst', 'tp_dst');
  p.dec('sctp_src', 'tp_src');
  p.dec('sctp_dst', 'tp_dst');
  const flags = normal.tcp_flags;
  if (flags !== undefined)
    put(`tcp_flags=${typeof flags === 'object' ? formatFlags(TCP_FLAGS, flags[0], flags[1]) : formatTcpExact(flags)}`);
  for (const u of normal.unknown ?? [])
    put(`unknown(${u.oxmClass},${u.field},0x${Array.from(u.body, (b) => b.toString(16).padStart(2, '0')).join('')})`);
  return p.parts;
}

const formatTcpExact = (flags: number): string => formatFlags(TCP_FLAGS, flags, Number(significantOnes('tcp_flags')));

/** A match in ovs-ofctl's language, `tcp,in_port=1,tp_dst=80`; empty for a match of everything. */
export const formatMatch = (match: Match, names: Names = {}): string => matchParts(match, names).join();
