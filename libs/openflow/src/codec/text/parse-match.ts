import { FIELD_INFO, type FieldInfo, fieldByName, fieldByPoint } from '../fields/info.js';
import type { Match } from '../fields/match.js';
import type { FieldName } from '../fields/table.js';
import { type LooseMatch, normalizeMatch } from '../normal/match.js';
import type { Version } from '../version.js';
import { findSubfield, type Numbers, parseValue } from './parse-values.js';
import { registersIn } from './registers.js';
import { Piece } from './scan.js';

type Value = number | bigint;

/** Words that stand for an eth_type, and perhaps a nw_proto. */
const WORDS: Readonly<Record<string, Match>> = {
  eth: {},
  ip: { eth_type: 0x0800 },
  ipv4: { eth_type: 0x0800 },
  ip4: { eth_type: 0x0800 },
  icmp: { eth_type: 0x0800, nw_proto: 1 },
  icmp4: { eth_type: 0x0800, nw_proto: 1 },
  tcp: { eth_type: 0x0800, nw_proto: 6 },
  tcp4: { eth_type: 0x0800, nw_proto: 6 },
  udp: { eth_type: 0x0800, nw_proto: 17 },
  udp4: { eth_type: 0x0800, nw_proto: 17 },
  sctp: { eth_type: 0x0800, nw_proto: 132 },
  sctp4: { eth_type: 0x0800, nw_proto: 132 },
  ipv6: { eth_type: 0x86dd },
  ip6: { eth_type: 0x86dd },
  icmp6: { eth_type: 0x86dd, nw_proto: 58 },
  tcp6: { eth_type: 0x86dd, nw_proto: 6 },
  udp6: { eth_type: 0x86dd, nw_proto: 17 },
  sctp6: { eth_type: 0x86dd, nw_proto: 132 },
  arp: { eth_type: 0x0806 },
  rarp: { eth_type: 0x8035 },
  mpls: { eth_type: 0x8847 },
  mplsm: { eth_type: 0x8848 },
};

/** Names that mean another field once eth_type and nw_proto are known. */
function translate(name: string, known: LooseMatch): string {
  const arp = known.eth_type === 0x0806 || known.eth_type === 0x8035;
  if (arp) {
    if (name === 'ip_src') return 'arp_spa';
    if (name === 'ip_dst') return 'arp_tpa';
    if (name === 'nw_proto') return 'arp_op';
  }
  const v6 = known.eth_type === 0x86dd;
  if (v6 && known.nw_proto === 58) {
    if (name === 'icmp_type' || name === 'tcp_src') return 'icmpv6_type';
    if (name === 'icmp_code' || name === 'tcp_dst') return 'icmpv6_code';
  }
  if (name === 'tcp_src' || name === 'tcp_dst') {
    const side = name.slice(3);
    if (known.nw_proto === 17) return `udp${side}`;
    if (known.nw_proto === 132) return `sctp${side}`;
    if (!v6 && known.nw_proto === 1) return side === '_src' ? 'icmp_type' : 'icmp_code';
  }
  return name;
}

/** `key=value`; `key:value` is an old way to say the same. */
export function cutKey(p: Piece): readonly [Piece, Piece | undefined] {
  const i = p.text.search(/[=:]/);
  return i < 0 ? [p, undefined] : [p.slice(0, i), p.slice(i + 1)];
}

/** Collects what is said about a match, word by word. */
export class MatchBuilder {
  private readonly said: LooseMatch = {};
  private readonly tlvBytes: Record<string, number> = {};

  constructor(private readonly numbers: Numbers) {}

  /** Takes a word such as `tcp` or `nw_src=10.0.0.1`; false if it is not about the match. */
  take(p: Piece): boolean {
    const word = WORDS[p.text];
    if (word !== undefined) {
      for (const [name, value] of Object.entries(word))
        this.set(FIELD_INFO[name as FieldName], [value as number, 0xffff], p);
      return true;
    }
    const [key, value] = cutKey(p);
    if (key.text === 'dl_vlan' || key.text === 'dl_vlan_pcp' || key.text === 'vlan_pcp') {
      if (value === undefined) return p.fail(`${key.text} has no value`);
      this.vlan(key.text, value);
      return true;
    }
    const info = key.text === 'in_port' ? FIELD_INFO.in_port : (fieldByName(key.text) ?? fieldByPoint(key.text));
    if (info === undefined) return this.bits(key, value);
    if (value === undefined) {
      // "The option is there, whatever it holds."
      if (!info.variable) return p.fail(`${key.text} has no value`);
      this.said[info.name] = [0n, 0n];
      this.tlvBytes[info.name] = 0;
      return true;
    }
    if (info.variable) this.option(info, value);
    else this.set(info, parseValue(info, value, this.numbers), p);
    return true;
  }

  /** `reg0[0..3]=5` */
  private bits(key: Piece, value: Piece | undefined): boolean {
    const s = key.text.includes('[') && value !== undefined ? findSubfield(key) : undefined;
    if (s === undefined || value === undefined) return false;
    const info = FIELD_INFO[s.field];
    const shift = BigInt(s.offset);
    const mask = ((1n << BigInt(s.bits)) - 1n) << shift;
    const bits = value.big(s.bits) << shift;
    const before = this.said[s.field];
    const [v, m] =
      before === undefined
        ? [0n, 0n]
        : typeof before === 'object'
          ? before.map(BigInt)
          : [BigInt(before), BigInt(info.ones)];
    const both = [(v as bigint) | bits, (m as bigint) | mask] as const;
    this.said[s.field] = info.wide ? both : [Number(both[0]), Number(both[1])];
    return true;
  }

  private vlan(name: string, p: Piece): void {
    if (name !== 'dl_vlan') {
      this.said.vlan_pcp = p.number(3);
      this.said.vlan_vid ??= [0x1000, 0x1000];
      return;
    }
    const vid = p.number(16);
    if (vid > 0xfff && vid !== 0xffff) p.fail('a VLAN has 12 bits');
    // OpenFlow 1.0 says 0xffff for "no tag".
    this.said.vlan_vid = vid === 0xffff ? 0 : 0x1000 | vid;
  }

  private option(info: FieldInfo, p: Piece): void {
    const [value, mask] = p.cut('/') ?? [p, undefined];
    const bytes = (q: Piece): number => {
      if (!/^(0x[0-9a-f]*|0)$/i.test(q.text)) return Math.ceil(q.big(992).toString(16).length / 2);
      return q.text === '0' ? 0 : Math.ceil(q.big(992).toString(16).length / 2);
    };
    const v = value.big(992);
    this.said[info.name] = mask === undefined ? v : [v, mask.big(992)];
    const n = Math.max(bytes(value), mask === undefined ? 0 : bytes(mask));
    if (n === 0) this.tlvBytes[info.name] = 0;
  }

  private set(info: FieldInfo, [value, mask]: readonly [Value, Value], p: Piece): void {
    const all = mask === info.ones;
    if (!all && info.spec.mask === 'no' && info.spec.text !== 'frag' && mask !== 0xffff && mask !== 0xffffffff)
      p.fail(`${info.name} cannot be masked`);
    const entry = all || info.spec.mask === 'no' ? value : ([value, mask] as const);
    this.said[info.name] = entry;
  }

  done(): Match {
    const out: LooseMatch = {};
    for (const [name, entry] of Object.entries(this.said)) out[translate(name, this.said)] = entry;
    const lengths = Object.keys(this.tlvBytes).length > 0 ? { tlvBytes: this.tlvBytes } : {};
    return { ...normalizeMatch({ ...out, ...lengths } as unknown as Match), ...lengths };
  }
}

/** Reads a match, `tcp,in_port=1,tp_dst=80`. Throws `OpenFlowTextError`. */
export function parseMatch(text: string, numbers: Numbers & { readonly version?: Version } = {}): Match {
  const builder = new MatchBuilder(numbers);
  for (const part of new Piece(text).split()) if (!builder.take(part)) part.fail(`"${part.text}" is no field`);
  return registersIn(builder.done(), numbers.version);
}
